//! All projections that there are, for whoever works on any of them by its name.

use marquee_infra::{event_log::EventReader, kafka::Topics};
use rdkafka::message::OwnedMessage;
use sqlx::MySqlConnection;

use crate::{
    catalog::Catalog,
    failure::Failure,
    projection::{Applied, Projection},
    token_audit::TokenAudit,
    viewing_sessions::ViewingSessions,
};

pub const NAMES: [&str; 3] = [Catalog::NAME, TokenAudit::NAME, ViewingSessions::NAME];

/// Each with the topic that it reads.
pub fn topics(topics: Topics) -> [(&'static str, String); 3] {
    [
        (Catalog::NAME, topics.movies),
        (TokenAudit::NAME, topics.stream_tokens),
        (ViewingSessions::NAME, topics.viewing_sessions),
    ]
}

/// The name as it is known here.
pub fn named(name: &str) -> Result<&'static str, Failure> {
    let unknown = || Failure::Refused(format!("projection {name}"));
    NAMES.into_iter().find(|known| *known == name).ok_or_else(unknown)
}

/// Has the projection of this name apply the records.
pub async fn apply(
    name: &str,
    log: &EventReader,
    tx: &mut MySqlConnection,
    records: &[OwnedMessage],
) -> Result<Applied, Failure> {
    match named(name)? {
        Catalog::NAME => Catalog::new(log.clone()).apply(tx, records).await,
        TokenAudit::NAME => TokenAudit.apply(tx, records).await,
        _ => ViewingSessions.apply(tx, records).await,
    }
}
