//! Why the catalog's tables were not swapped.

use marquee_infra::event_log::EventLogError;
use thiserror::Error;

use crate::failure::Failure;

#[derive(Debug, Error)]
pub enum RebuildError {
    /// It can't be done as it was asked for.
    #[error("{0}")]
    Refused(String),
    #[error(
        "the MySQL user may not do that: it takes the one that `projector migrate` makes for it \
         (mysql_users.rebuild). This one lacks {lacking}"
    )]
    OtherUser { lacking: String, source: sqlx::Error },
    #[error("stopped when asked to; run it again to go on")]
    Stopped,
    #[error("another rebuild or rollback has taken over")]
    Superseded,
    /// Somebody would be shown an older version than before.
    #[error("nothing was swapped: {0}")]
    WouldGoBack(String),
    #[error("{0} movies' events can't be applied; the first: {1}")]
    TooManyBroken(usize, String),
    #[error(
        "nothing was swapped: long transactions hold the catalog's tables; run it again to go on"
    )]
    Busy,
    #[error("Kafka can't be asked for the topic's partitions")]
    Kafka(#[source] anyhow::Error),
    #[error("the event log can't be read; run it again to go on")]
    Log(#[from] EventLogError),
    #[error("MySQL can't be used; run it again to go on")]
    Mysql(#[from] sqlx::Error),
    #[error("a batch can't be written; run it again to go on")]
    Write(#[source] Failure),
    #[error("the tables can't be compared; run it again to go on")]
    Compare(#[source] anyhow::Error),
}

impl From<Failure> for RebuildError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::EventLog(error) => Self::Log(error),
            other => Self::Write(other),
        }
    }
}

impl RebuildError {
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::OtherUser { .. } => 2,
            Self::Stopped
            | Self::Superseded
            | Self::WouldGoBack(_)
            | Self::TooManyBroken(..)
            | Self::Busy
            | Self::Kafka(_)
            | Self::Log(_)
            | Self::Mysql(_)
            | Self::Write(_)
            | Self::Compare(_) => 1,
        }
    }
}
