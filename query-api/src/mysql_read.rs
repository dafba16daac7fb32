//! Reads of MySQL that a request waits for.

use std::{future::Future, time::Duration};

use thiserror::Error;
use tokio::time::{error::Elapsed, timeout};

/// A read that takes longer has lost MySQL.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum ReadError {
    #[error("MySQL cannot be read: {0}")]
    Read(#[source] sqlx::Error),
    #[error("MySQL does not answer")]
    TimedOut(#[from] Elapsed),
    /// Which the projector did not write like that: a bug.
    #[error("a row is unreadable: {0}")]
    Row(#[source] sqlx::Error),
}

impl ReadError {
    /// Whether the same read may succeed later.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Read(_) | Self::TimedOut(_) => true,
            Self::Row(_) => false,
        }
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_) => Self::Row(error),
            error => Self::Read(error),
        }
    }
}

pub async fn in_time<T, E: From<ReadError>>(
    read: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(READ_TIMEOUT, read).await.map_err(ReadError::from)?
}
