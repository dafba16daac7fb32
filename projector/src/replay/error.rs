//! Why a replay is not done.

use std::{io, path::PathBuf};

use marquee_infra::{
    event_log::EventLogError,
    kafka::{TopicsError, transactional::TransactionError},
};
use thiserror::Error;

use super::schema::SchemaError;

#[derive(Debug, Error)]
pub enum ReplayError {
    /// The arguments contradict each other, the log, or what is there already.
    #[error("{0}")]
    Refused(String),
    #[error("stopped when asked to, after position {0}; --resume goes on from there")]
    Stopped(u64),
    #[error(transparent)]
    Log(#[from] EventLogError),
    #[error("MySQL did not answer within {0} s")]
    LogSilent(u64),
    #[error("the event log has a hole: there is no event at position {missing}")]
    Hole { missing: u64 },
    #[error("the event at position {position}")]
    Event { position: u64, source: SchemaError },
    #[error("{} can't be {doing}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not what it should be: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the reader of stdout has gone")]
    Stdout(#[source] io::Error),
    #[error("the topic can't be had")]
    Topic(#[from] TopicsError),
    #[error("another replay writes to the topic now")]
    Fenced(#[source] TransactionError),
    #[error("the topic can't be written")]
    Kafka(#[source] TransactionError),
    #[cfg(feature = "parquet")]
    #[error("the columns can't be written")]
    Parquet(#[from] parquet::errors::ParquetError),
}

impl From<TransactionError> for ReplayError {
    fn from(error: TransactionError) -> Self {
        if error.is_fenced() { Self::Fenced(error) } else { Self::Kafka(error) }
    }
}

impl ReplayError {
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_)
            | Self::Topic(TopicsError::Incompatible { .. } | TopicsError::Refused { .. }) => 2,
            Self::Stopped(_)
            | Self::Log(_)
            | Self::LogSilent(_)
            | Self::Hole { .. }
            | Self::Event { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::Stdout(_)
            | Self::Topic(TopicsError::Unavailable(_))
            | Self::Fenced(_)
            | Self::Kafka(_) => 1,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => 1,
        }
    }

    /// Whether the same question, asked again a little later, may be answered.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Log(EventLogError::Unavailable(_)) | Self::LogSilent(_) => true,
            Self::Log(
                EventLogError::Corrupt { .. }
                | EventLogError::Undecodable(_)
                | EventLogError::Internal(_),
            )
            | Self::Refused(_)
            | Self::Stopped(_)
            | Self::Hole { .. }
            | Self::Event { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::Stdout(_)
            | Self::Topic(_)
            | Self::Fenced(_)
            | Self::Kafka(_) => false,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => false,
        }
    }
}
