//! Publishing in Kafka transactions: records, and the cursor that tells how far they go, are there
//! together or not at all.
//!
//! The cursor is kept as the offsets of a consumer group that nobody joins. Opening a producer
//! fences every older one of the same transactional id, and only then reads the cursor. After any
//! error nobody knows what became of a batch: drop the producer, open another, ask for the cursor.
//! Calls of librdkafka that block run on tokio's blocking threads.

use std::{
    fmt,
    ops::Deref,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    metadata::MetadataTopic,
    producer::{FutureProducer, FutureRecord, Producer},
};
use thiserror::Error;
use tokio::{task::spawn_blocking, time::timeout_at};

use super::{ClientSettings, PARTITIONER, QuietContext};

/// Kafka itself aborts a transaction that is not ended for so long, so that a producer that died
/// holds up read_committed consumers no longer.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// One blocking call, at most: a shutdown waits no longer.
const CALL: Duration = Duration::from_secs(1);
/// All calls of one step.
const STEP: Duration = Duration::from_secs(8);
const ASK: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum TransactionError {
    #[error("Kafka failed to {doing}")]
    Kafka { doing: &'static str, source: KafkaError },
    #[error("Kafka did not {doing} in time")]
    NoAnswer { doing: &'static str },
    #[error("Kafka takes no record as large as number {index} of the batch")]
    TooLarge { index: usize },
    #[error("a thread of the producer's ended early")]
    Stopped,
}

impl TransactionError {
    /// Whether Kafka says that a newer producer has taken this one's place.
    pub fn is_fenced(&self) -> bool {
        matches!(
            self.code(),
            Some(
                RDKafkaErrorCode::ProducerFenced
                    | RDKafkaErrorCode::Fenced
                    | RDKafkaErrorCode::InvalidProducerEpoch
            )
        )
    }

    /// Whether the broker says that it has no transactions at all.
    pub fn is_without_transactions(&self) -> bool {
        matches!(
            self.code(),
            Some(RDKafkaErrorCode::UnsupportedFeature | RDKafkaErrorCode::UnsupportedVersion)
        )
    }

    fn code(&self) -> Option<RDKafkaErrorCode> {
        match self {
            Self::Kafka { source, .. } => source.rdkafka_error_code(),
            Self::NoAnswer { .. } | Self::TooLarge { .. } | Self::Stopped => None,
        }
    }
}

/// A partition's place in a cursor. What the number means is the publisher's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub partition: i32,
    pub offset: i64,
    pub note: String,
}

/// Where Kafka keeps a cursor. Blocking: for a thread of its own.
pub struct CursorStore {
    consumer: BaseConsumer<QuietContext>,
    topic: String,
}

impl CursorStore {
    /// `topic` is the one in whose partitions' names the marks are kept.
    pub fn open(client: &ClientSettings, group: &str, topic: &str) -> KafkaResult<Self> {
        let mut config = client.client_config();
        config
            .set("group.id", group)
            // What an open transaction holds is waited for.
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false");
        let consumer = BaseConsumer::from_config_and_context(&config, QuietContext)?;
        Ok(Self { consumer, topic: topic.to_owned() })
    }

    /// The marks that there are; Kafka forgets those of a group that nobody joins
    /// `offsets.retention.minutes` (a week) after the last commit.
    pub fn marks(&self, partitions: &[i32]) -> KafkaResult<Vec<Mark>> {
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition(&self.topic, *partition);
        }
        let committed = self.consumer.committed_offsets(asked, ASK)?;
        let mut marks = Vec::new();
        for element in committed.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                let note = element.metadata().to_owned();
                marks.push(Mark { partition: element.partition(), offset, note });
            }
        }
        Ok(marks)
    }

    /// Whether nothing was ever written to `topic`.
    pub fn is_empty(&self, topic: &str) -> KafkaResult<bool> {
        let metadata = self.consumer.fetch_metadata(Some(topic), ASK)?;
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            if self.consumer.fetch_watermarks(topic, partition.id(), ASK)?.1 > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn list(&self, marks: &[Mark]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for mark in marks {
            let mut element = list.add_partition(&self.topic, mark.partition);
            element.set_offset(Offset::Offset(mark.offset))?;
            element.set_metadata(&mark.note);
        }
        Ok(list)
    }
}

/// A connection that has the right to publish, as far as Kafka knows.
pub struct TransactionalProducer {
    producer: Closing,
    cursor: Arc<CursorStore>,
}

type Producing = FutureProducer<QuietContext>;

impl TransactionalProducer {
    pub async fn open(
        client: &ClientSettings,
        transactional_id: &str,
        cursor: CursorStore,
    ) -> Result<Self, TransactionError> {
        let mut config = client.client_config();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", PARTITIONER)
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("message.timeout.ms", STEP.as_millis().to_string())
            // A batch is handed over as a whole: there is nothing to wait for.
            .set("linger.ms", "0")
            .set("socket.nagle.disable", "true")
            .set("retry.backoff.ms", "1");
        let producer = Producing::from_config_and_context(&config, QuietContext)
            .map(|producer| Closing(Some(producer)))
            .map_err(|source| failed("take a producer's settings", source))?;
        in_calls("begin to use transactions", &producer, |producer| {
            producer.init_transactions(CALL)
        })
        .await?;
        Ok(Self { producer, cursor: Arc::new(cursor) })
    }

    pub async fn marks(&self, partitions: Vec<i32>) -> Result<Vec<Mark>, TransactionError> {
        let cursor = Arc::clone(&self.cursor);
        blocking("tell the cursor", move || cursor.marks(&partitions)).await
    }

    /// Whether nothing was ever written to `topic`.
    pub async fn is_empty(&self, topic: &str) -> Result<bool, TransactionError> {
        let (cursor, topic) = (Arc::clone(&self.cursor), topic.to_owned());
        blocking("tell whether a topic is empty", move || cursor.is_empty(&topic)).await
    }

    /// Publishes the records and moves the cursor, in one transaction.
    pub async fn publish(
        &self,
        records: Vec<FutureRecord<'_, str, [u8]>>,
        marks: Vec<Mark>,
    ) -> Result<(), TransactionError> {
        self.begin(marks).await?;
        let mut deliveries = Vec::with_capacity(records.len());
        for (index, record) in records.into_iter().enumerate() {
            let sent = self.producer.send_result(record);
            deliveries.push(sent.map_err(|(error, _)| not_taken(index, error))?);
        }
        // Each ends by itself: acknowledged, refused, or after message.timeout.ms.
        for (index, delivery) in deliveries.into_iter().enumerate() {
            delivery
                .await
                .map_err(|_| TransactionError::Stopped)?
                .map_err(|(error, _)| not_taken(index, error))?;
        }
        in_calls("commit a batch", &self.producer, commit).await
    }

    /// Begins a transaction with the cursor, and before any record. The coordinator may still be
    /// writing the markers of the transaction before: librdkafka then tries the cursor again after
    /// `retry.backoff.ms`, but a record only after a fixed 20 ms.
    async fn begin(&self, marks: Vec<Mark>) -> Result<(), TransactionError> {
        let producer = Producing::clone(&self.producer);
        blocking("begin a batch", move || producer.begin_transaction()).await?;
        let (cursor, marks) = (Arc::clone(&self.cursor), Arc::new(marks));
        in_calls("take the cursor", &self.producer, move |producer| {
            let group = cursor.consumer.group_metadata().ok_or(KafkaError::Canceled)?;
            producer.send_offsets_to_transaction(&cursor.list(&marks)?, &group, CALL)
        })
        .await
    }
}

impl fmt::Debug for CursorStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CursorStore").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl fmt::Debug for TransactionalProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionalProducer")
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// Closing a producer blocks for up to a second: not on a thread that others need.
struct Closing(Option<Producing>);

impl Deref for Closing {
    type Target = Producing;

    fn deref(&self) -> &Producing {
        self.0.as_ref().expect("only drop takes it")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let producer = self.0.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(producer));
        }
    }
}

/// Commits once librdkafka has let go of the last delivery report, which is a moment after the
/// report was heard. Before that, rdkafka's commit would first poll for a fixed 100 ms.
fn commit(producer: &Producing) -> KafkaResult<()> {
    let deadline = Instant::now() + CALL;
    while producer.in_flight_count() > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(50));
    }
    producer.commit_transaction(CALL)
}

/// Calls again what ran out of time, which librdkafka then resumes, so that no call is long.
async fn in_calls(
    doing: &'static str,
    producer: &Producing,
    call: impl Fn(&Producing) -> KafkaResult<()> + Clone + Send + 'static,
) -> Result<(), TransactionError> {
    let deadline = Instant::now() + STEP;
    loop {
        let (producer, call) = (producer.clone(), call.clone());
        // `send_offsets_to_transaction` does not keep to its time-out when the coordinator goes away
        // under it: librdkafka then waits until Kafka is back, with the thread, which is given up.
        let called = timeout_at((deadline + CALL).into(), blocking(doing, move || call(&producer)));
        match called.await {
            Ok(Err(TransactionError::Kafka { source: KafkaError::Transaction(error), .. }))
                if error.is_retriable() && Instant::now() < deadline => {}
            Ok(result) => return result,
            Err(_) => return Err(TransactionError::NoAnswer { doing }),
        }
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    call: impl FnOnce() -> KafkaResult<T> + Send + 'static,
) -> Result<T, TransactionError> {
    spawn_blocking(call)
        .await
        .map_err(|_| TransactionError::Stopped)?
        .map_err(|source| failed(doing, source))
}

const fn failed(doing: &'static str, source: KafkaError) -> TransactionError {
    TransactionError::Kafka { doing, source }
}

fn not_taken(index: usize, source: KafkaError) -> TransactionError {
    if source.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
        TransactionError::TooLarge { index }
    } else {
        failed("accept a batch", source)
    }
}
