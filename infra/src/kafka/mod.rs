//! What the services share of Kafka: how to reach it, the topics, the record format, producing.

use std::{collections::BTreeMap, fmt};

use rdkafka::{
    ClientConfig,
    client::ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use serde::Deserialize;

pub mod cloud_event;
pub mod movie_event;
mod partitioner;
pub mod producer;
pub mod topics;
pub mod transactional;
pub mod viewing_session;

pub use cloud_event::{CloudEvent, CloudEventError};
pub use movie_event::StructuredEvent;
pub use partitioner::partition_of;
pub use producer::{Fact, FactProducer, PublishError};
pub use topics::{TopicSettings, Topics, TopicsError, ensure_log_topic, ensure_topics};
pub use transactional::{CursorStore, Mark, TransactionError, TransactionalProducer};

/// The same key goes to the same partition as from a Java client's default partitioner. Never to be
/// changed: a movie's events would then be spread over two partitions.
pub const PARTITIONER: &str = "murmur2_random";

/// How a service reaches Kafka.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// Shown in the broker's logs and quotas.
    pub client_id: String,
    /// Further librdkafka settings, such as `security.protocol` and `sasl.username`. What the
    /// services' guarantees rest on (acks, idempotence, isolation ...) is set after these and wins.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl ClientSettings {
    pub fn new(brokers: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self { brokers: brokers.into(), client_id: client_id.into(), options: BTreeMap::new() }
    }

    /// What every client of ours starts from.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("socket.keepalive.enable", "true")
            // A Kafka that is back is found within a second, however long it was away.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers).set("client.id", &self.client_id);
        config.set_log_level(RDKafkaLogLevel::Warning);
        config
    }
}

/// The options may hold passwords: their names are shown, never their values.
impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("brokers", &self.brokers)
            .field("client_id", &self.client_id)
            .field("options", &self.options.keys())
            .finish()
    }
}

/// Keeps librdkafka's own messages at debug level. While a broker is away it repeats itself every
/// second; who called it gets the failure as a value, and logs that once.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuietContext;

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
    }
}

impl ConsumerContext for QuietContext {}

/// Whether the failure says that Kafka can't be reached or is too slow, rather than that it refuses.
pub fn is_unavailable(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::MessageTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::QueueFull
                | RDKafkaErrorCode::NotEnoughReplicas
                | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::BrokerNotAvailable
        )
    )
}
