//! Why the relay does not publish. It tries again, always; nobody else is stopped by it.

use marquee_infra::{event_log::EventLogError, kafka::TopicsError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum RelayError {
    #[error("the event log could not be read")]
    Log(#[from] EventLogError),
    #[error("the lease could not be read or written")]
    Lease(#[from] sqlx::Error),
    #[error("the topics are not as they have to be")]
    Topics(#[from] TopicsError),
    #[error("Kafka failed to {doing}")]
    Kafka { doing: &'static str, source: KafkaError },
    #[error("Kafka did not {doing} in time")]
    NoAnswer { doing: &'static str },
    /// Another event log than the topic was filled from, or one restored from an old backup.
    /// Publishing on would give positions out twice.
    #[error(
        "the event log ends at {log_end}, but Kafka has its events up to {cursor}: this is not the \
         log that filled the topic"
    )]
    LogBehindTopic { log_end: u64, cursor: u64 },
    #[error("another process leads by now")]
    LeaseLost,
    #[error("a thread of the relay's ended early")]
    Stopped,
}

impl RelayError {
    /// Whether Kafka says that a newer producer has taken this one's place.
    pub(super) fn is_fenced(&self) -> bool {
        match self {
            Self::Kafka { source, .. } => matches!(
                source.rdkafka_error_code(),
                Some(
                    RDKafkaErrorCode::ProducerFenced
                        | RDKafkaErrorCode::Fenced
                        | RDKafkaErrorCode::InvalidProducerEpoch
                )
            ),
            Self::LeaseLost => true,
            Self::Log(_)
            | Self::Lease(_)
            | Self::Topics(_)
            | Self::NoAnswer { .. }
            | Self::LogBehindTopic { .. }
            | Self::Stopped => false,
        }
    }

    /// Whether the broker says that it has no transactions at all.
    pub(super) fn is_without_transactions(&self) -> bool {
        matches!(self, Self::Kafka { source, .. } if matches!(
            source.rdkafka_error_code(),
            Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion)
        ))
    }

    /// The error and its causes, in one line.
    pub(super) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
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
}
