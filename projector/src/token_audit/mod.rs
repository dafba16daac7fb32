//! The audit of stream tokens: a row for each that was issued or renewed, and rows of their own for those
//! that were denied and revoked. None is ever changed after.
//!
//! Types that are not known are counted and skipped. They stay readable in the topic.

mod denials;
mod revocations;
mod rows;
mod tokens;

use marquee_domain::stream_token::{StreamTokenEvent, decode as decode_payload};
use rdkafka::{Message, message::OwnedMessage};
use sqlx::MySqlConnection;

pub(crate) use self::{
    rows::{AuditRow, known},
    tokens::{AuditedToken, SELECT_BY_ID},
};
use crate::{
    failure::Failure,
    projection::{Applied, Parked, Projection},
};

#[derive(Debug, Clone, Copy, Default)]
pub struct TokenAudit;

impl Projection for TokenAudit {
    const NAME: &'static str = "stream_token_audit";

    async fn apply(
        &self,
        tx: &mut MySqlConnection,
        records: &[OwnedMessage],
    ) -> Result<Applied, Failure> {
        let mut applied = Applied::default();
        let (mut tokens, mut denials, mut revocations) = (Vec::new(), Vec::new(), Vec::new());
        for (index, record) in records.iter().enumerate() {
            let event = match decode(record.payload()) {
                Ok(Some(event)) => event,
                Ok(None) => {
                    applied.skipped += 1;
                    continue;
                }
                Err(error) => {
                    applied.parked.push(Parked { index, movie_id: String::new(), error });
                    continue;
                }
            };
            match event {
                StreamTokenEvent::StreamTokenIssued(token) => {
                    tokens.push(AuditedToken::issued(token));
                }
                StreamTokenEvent::StreamTokenRenewed(renewed) => {
                    tokens.push(AuditedToken::renewed(renewed));
                }
                StreamTokenEvent::StreamTokenDenied(denial) => denials.push(denial),
                StreamTokenEvent::StreamTokenRevoked(revocation) => revocations.push(revocation),
            }
        }
        applied.skipped += rows::write(tx, tokens).await?;
        applied.skipped += rows::write(tx, denials).await?;
        applied.skipped += rows::write(tx, revocations).await?;
        Ok(applied)
    }

    /// They don't depend on each other.
    fn waits_for(&self, _record: &OwnedMessage) -> Option<String> {
        None
    }
}

/// What a record's value tells of a token; none of another type.
pub(crate) fn decode(value: Option<&[u8]>) -> Result<Option<StreamTokenEvent>, String> {
    let payload = value.ok_or("the record has no value")?;
    decode_payload(payload).map_err(|error| error.to_string())
}
