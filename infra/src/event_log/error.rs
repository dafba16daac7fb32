//! Why the log could not do what it was asked to.

use std::{error::Error, sync::Arc};

use marquee_domain::{MovieId, values::Title};
use thiserror::Error;

pub(super) use crate::mysql::is_away as connection_lost;

/// One cause is told to every command of a batch, hence shared.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why the log could not be read.
#[derive(Debug, Clone, Error)]
pub enum EventLogError {
    #[error("the event log cannot be reached")]
    Unavailable(#[source] Cause),
    /// A hole is never "probably a rolled-back insert". `found` is 0 where nothing follows.
    #[error("the event log has a hole: expected {expected}, found {found}")]
    Corrupt { expected: u64, found: u64 },
    #[error("an event of the log cannot be decoded")]
    Undecodable(#[source] Cause),
    #[error("MySQL refused a statement of the event log")]
    Internal(#[source] Cause),
}

/// Why nothing was appended, or why nobody knows whether it was.
#[derive(Debug, Clone, Error)]
pub enum AppendError {
    #[error("the movie is at version {actual}")]
    VersionConflict { actual: u64 },
    #[error("the title is held by movie {holder}")]
    TitleTaken {
        holder: MovieId,
        /// Free a moment ago.
        suggestion: Title,
    },
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("{actual} events in one append, at most {max} are allowed")]
    TooManyEvents { max: usize, actual: usize },
    /// Back-pressure: nothing happened.
    #[error("too many commands are waiting")]
    QueueFull,
    /// Nothing happened.
    #[error("the event log cannot be reached")]
    Unavailable(#[source] Cause),
    /// The connection was lost around COMMIT, and what happened could not be found out in time.
    #[error("it is not known whether the command was done")]
    OutcomeUnknown,
    #[error("the event log contradicts itself")]
    Corrupt(#[source] Cause),
    #[error("the event log could not be written")]
    Internal(#[source] Cause),
}

impl AppendError {
    /// Whether the same command, sent again a little later, may succeed. After `OutcomeUnknown` it
    /// must carry the same idempotency key.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::QueueFull | Self::Unavailable(_) | Self::OutcomeUnknown => true,
            Self::VersionConflict { .. }
            | Self::TitleTaken { .. }
            | Self::KeyReused
            | Self::TooManyEvents { .. }
            | Self::Corrupt(_)
            | Self::Internal(_) => false,
        }
    }
}

impl From<EventLogError> for AppendError {
    fn from(error: EventLogError) -> Self {
        match error {
            EventLogError::Unavailable(cause) => Self::Unavailable(cause),
            EventLogError::Corrupt { .. } | EventLogError::Undecodable(_) => {
                Self::Corrupt(Arc::new(error))
            }
            EventLogError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<sqlx::Error> for EventLogError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Undecodable(Arc::new(error))
            }
            _ if connection_lost(&error) => Self::Unavailable(Arc::new(error)),
            _ => Self::Internal(Arc::new(error)),
        }
    }
}
