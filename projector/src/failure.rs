//! What can go wrong while a batch is projected, sorted by what to do about it.

use marquee_infra::event_log::EventLogError;
use sqlx::mysql::MySqlDatabaseError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Failure {
    /// A deadlock or a lock wait: the same batch again.
    #[error("another transaction was in the way")]
    Contention(#[source] sqlx::Error),
    /// MySQL takes no such row, whoever asks and however often.
    #[error("MySQL refuses the row: {0}")]
    Refused(String),
    /// The checkpoint is not where this worker left it: someone else works on the partition, or a
    /// commit went through whose answer was lost.
    #[error("the checkpoint is at offset {found:?}, not at {expected}")]
    Superseded { expected: i64, found: Option<i64> },
    /// Later, unchanged.
    #[error("MySQL can't be used at the moment")]
    Unavailable(#[source] sqlx::Error),
    #[error("MySQL did not finish a batch in {0:?}")]
    TooSlow(std::time::Duration),
    #[error("the event log can't be read at the moment")]
    EventLog(#[source] EventLogError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let Some(number) = mysql_error_number(&error) else {
            return match error {
                sqlx::Error::Encode(reason) => Self::Refused(reason.to_string()),
                other => Self::Unavailable(other),
            };
        };
        match number {
            // Lock wait timeout, deadlock.
            1205 | 1213 => Self::Contention(error),
            // Null, duplicate key, too large a packet, out of range, bad date, bad string, too
            // long, foreign key, invalid JSON, check constraint.
            1048 | 1062 | 1153 | 1264 | 1292 | 1366 | 1406 | 1452 | 3140 | 3819 => {
                Self::Refused(error.to_string())
            }
            // A missing grant or table, a read-only server, too many connections: what is wrong
            // is not the record.
            _ => Self::Unavailable(error),
        }
    }
}

pub fn mysql_error_number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?;
    error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// The error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // rdkafka repeats its cause in its own text.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
