//! Viewing sessions: a row for each, which is what its events add up to.
//!
//! An event is added to the row under the row's lock, and adding it again changes nothing, so neither
//! the order of events nor repeats of them matter, and a parked one keeps no other waiting. What the
//! silence of a player means is told by `sweeper`, as an event like the others.

mod anonymize;
mod command;
mod rows;
mod sweeper;

use std::collections::BTreeMap;

use marquee_domain::{
    ViewingSessionId,
    viewing_session::{ViewingSession, ViewingSessionEvent},
};
use marquee_infra::kafka::viewing_session::read;
use rdkafka::{Message, message::OwnedMessage};
use sqlx::MySqlConnection;

pub(crate) use self::rows::Derived;
use self::rows::{Row, Stored};
pub use self::{
    anonymize::{Whose, anonymize},
    command::{SessionsCommand, command},
    sweeper::Sweeper,
};
use crate::{
    failure::Failure,
    projection::{Applied, Parked, Projection},
};

#[derive(Debug, Clone, Copy, Default)]
pub struct ViewingSessions;

impl Projection for ViewingSessions {
    const NAME: &'static str = "viewing_sessions";

    async fn apply(
        &self,
        tx: &mut MySqlConnection,
        records: &[OwnedMessage],
    ) -> Result<Applied, Failure> {
        let mut applied = Applied::default();
        let mut parked = |index, error: String| {
            applied.parked.push(Parked { index, movie_id: String::new(), error });
        };
        let mut by_session: BTreeMap<ViewingSessionId, Vec<(usize, ViewingSessionEvent)>> =
            BTreeMap::new();
        for (index, record) in records.iter().enumerate() {
            match read(record) {
                Ok(event) => by_session.entry(event.session_id()).or_default().push((index, event)),
                Err(error) => parked(index, error.to_string()),
            }
        }
        let partition = records.first().map_or(0, Message::partition);
        let ids: Vec<String> = by_session.keys().map(ToString::to_string).collect();
        let mut stored = rows::load(tx, &ids).await?;
        let mut rows = Vec::with_capacity(ids.len());
        let mut unchanged = 0;
        for (session_id, events) in by_session {
            let (before, is_new) = match stored.remove(&session_id) {
                Some(Stored::Readable(session)) => (*session, false),
                None => (ViewingSession::default(), true),
                Some(Stored::Unreadable(error)) => {
                    for (index, _) in events {
                        parked(index, format!("the session's row can't be read: {error}"));
                    }
                    continue;
                }
            };
            let mut session = before.clone();
            for (_, event) in &events {
                session.apply(event);
            }
            if session == before {
                unchanged += events.len();
            } else {
                rows.push(Row { session_id, session, partition, is_new });
            }
        }
        applied.skipped = unchanged;
        rows::write(tx, &rows).await?;
        Ok(applied)
    }

    /// None of a session's events needs another.
    fn waits_for(&self, _record: &OwnedMessage) -> Option<String> {
        None
    }
}
