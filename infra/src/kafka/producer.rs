//! Publishing the facts that are in no event log: what viewers did. Kafka's acknowledgement is
//! their durability, so publishing ends when Kafka has them, and fails fast when it can't be had.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::join_all;
use rdkafka::{
    client::ClientContext,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord},
};
use thiserror::Error;

use super::{ClientSettings, CloudEvent, QuietContext, is_unavailable};
use crate::breaker::Breaker;

/// From the call to the acknowledgement, with all of librdkafka's own retries.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Records that wait for Kafka; more are refused.
const QUEUE_RECORDS: usize = 10_000;
/// While Kafka is away, one call in this time tries it; the others are refused at once.
const TRIAL_INTERVAL: Duration = Duration::from_millis(500);

/// Why a fact is not, or perhaps not, in Kafka. Repeating it is safe: consumers know its id.
#[derive(Debug, Error)]
pub enum PublishError {
    #[error("Kafka is away, as a moment ago")]
    Away,
    #[error("too many records wait for Kafka")]
    QueueFull,
    #[error("Kafka did not acknowledge in time")]
    Unavailable(#[source] KafkaError),
    #[error("Kafka refused the record")]
    Refused(#[source] KafkaError),
}

impl PublishError {
    /// Whether the same record may be accepted later.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Away | Self::QueueFull | Self::Unavailable(_) => true,
            Self::Refused(_) => false,
        }
    }
}

/// A record to be published.
#[derive(Debug, Clone)]
pub struct Fact {
    pub key: String,
    pub event: CloudEvent,
    pub payload: Vec<u8>,
}

/// Cheap to clone; all clones share one connection and queue.
#[derive(Clone)]
pub struct FactProducer {
    producer: FutureProducer<FactContext>,
    breaker: Arc<Breaker>,
}

impl FactProducer {
    /// Connects in the background: works while Kafka is down.
    pub fn new(settings: &ClientSettings) -> Result<Self, KafkaError> {
        let mut config = settings.client_config();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", super::PARTITIONER)
            .set("linger.ms", "1")
            .set("socket.nagle.disable", "true")
            .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            .set("queue.buffering.max.messages", QUEUE_RECORDS.to_string());
        let breaker = Arc::new(Breaker::closed(TRIAL_INTERVAL));
        let context = FactContext { breaker: Arc::clone(&breaker) };
        let producer = FutureProducer::from_config_and_context(&config, context)?;
        Ok(Self { producer, breaker })
    }

    /// Returns when all in-sync replicas have the record.
    pub async fn publish(
        &self,
        topic: &str,
        key: &str,
        event: &CloudEvent,
        payload: &[u8],
    ) -> Result<(), PublishError> {
        self.ask_breaker()?;
        self.deliver(topic, key, event, payload).await
    }

    /// The same for several, which are on their way at once and in this order. After a failure some
    /// of them may be there.
    pub async fn publish_all(&self, topic: &str, facts: &[Fact]) -> Result<(), PublishError> {
        self.ask_breaker()?;
        let deliveries =
            facts.iter().map(|fact| self.deliver(topic, &fact.key, &fact.event, &fact.payload));
        // All of them, also after a failure: what the breaker learns from each is not to be lost.
        join_all(deliveries).await.into_iter().collect()
    }

    fn ask_breaker(&self) -> Result<(), PublishError> {
        if self.breaker.lets_through() { Ok(()) } else { Err(PublishError::Away) }
    }

    async fn deliver(
        &self,
        topic: &str,
        key: &str,
        event: &CloudEvent,
        payload: &[u8],
    ) -> Result<(), PublishError> {
        let record = FutureRecord::to(topic).key(key).payload(payload).headers(event.to_headers());
        let delivery = self.producer.send_result(record).map_err(|(error, _)| {
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => PublishError::QueueFull,
                _ => PublishError::Refused(error),
            }
        })?;
        match delivery.await {
            Ok(Ok(_)) => {
                self.breaker.succeeded();
                Ok(())
            }
            Ok(Err((error, _))) if is_unavailable(&error) => {
                self.breaker.failed();
                Err(PublishError::Unavailable(error))
            }
            Ok(Err((error, _))) => Err(PublishError::Refused(error)),
            Err(_canceled) => Err(PublishError::Unavailable(KafkaError::Canceled)),
        }
    }
}

impl fmt::Debug for FactProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactProducer").finish_non_exhaustive()
    }
}

/// Hears from librdkafka that no broker is left, before the first record times out.
struct FactContext {
    breaker: Arc<Breaker>,
}

impl ClientContext for FactContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        QuietContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.breaker.open();
        }
        QuietContext.error(error, reason);
    }
}
