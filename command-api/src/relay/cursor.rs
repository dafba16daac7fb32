//! Finding out up to which position Kafka has the log. Blocking: for a thread of its own.

use std::time::{Duration, Instant};

use marquee_infra::kafka::{CloudEvent, QuietContext};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    metadata::MetadataTopic,
};

use super::RelaySettings;

/// The partition in whose name the cursor is kept. Its offset is a position, not a place in it.
const CURSOR_PARTITION: i32 = 0;
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many records of a partition's end are looked at first.
const FIRST_SPAN: i64 = 1_000;

/// Kafka's record of the cursor.
pub(super) struct Cursor {
    consumer: BaseConsumer<QuietContext>,
    topic: String,
}

impl Cursor {
    pub(super) fn open(settings: &RelaySettings) -> KafkaResult<Self> {
        let mut config: ClientConfig = settings.kafka.client_config();
        config
            .set("group.id", &settings.consumer_group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        let consumer = BaseConsumer::from_config_and_context(&config, QuietContext)?;
        Ok(Self { consumer, topic: settings.topics.movies.clone() })
    }

    pub(super) fn group(&self) -> KafkaResult<ConsumerGroupMetadata> {
        self.consumer.group_metadata().ok_or(KafkaError::Canceled)
    }

    /// The position of the last event in Kafka; 0 when there is none. To be asked after
    /// `init_transactions`: until then an old leader may still commit. `at_least_once` is the cursor
    /// of a time without transactions, 0 if there was none.
    pub(super) fn position(&self, at_least_once: u64) -> KafkaResult<u64> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, CURSOR_PARTITION);
        let committed = self.consumer.committed_offsets(asked, TIMEOUT)?;
        let offset = committed
            .find_partition(&self.topic, CURSOR_PARTITION)
            .map(|partition| {
                partition.error()?;
                Ok::<_, KafkaError>(partition.offset())
            })
            .transpose()?;
        match offset {
            Some(Offset::Offset(position)) => Ok(u64::try_from(position).unwrap_or(0)),
            // Never committed, or forgotten: Kafka drops the offsets of a group that nobody joins
            // `offsets.retention.minutes` (a week) after the last commit.
            _ if at_least_once == 0 => self.last_on_topic(),
            // The last batch may be there in parts: rather double than lost.
            _ => Ok(at_least_once.min(self.last_on_topic()?)),
        }
    }

    /// The highest position among the topic's records. Batches are atomic and in order, so that
    /// everything before it is in Kafka too.
    fn last_on_topic(&self) -> KafkaResult<u64> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), TIMEOUT)?;
        let mut last = 0;
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            last = last.max(self.last_in_partition(partition.id())?);
        }
        Ok(last)
    }

    fn last_in_partition(&self, partition: i32) -> KafkaResult<u64> {
        let (low, high) = self.consumer.fetch_watermarks(&self.topic, partition, TIMEOUT)?;
        let mut span = FIRST_SPAN;
        loop {
            let start = low.max(high.saturating_sub(span));
            let last = self.read_to_end(partition, start, high)?;
            // Transaction markers and aborted records take up offsets too: look further back.
            if last > 0 || start == low {
                return Ok(last);
            }
            span = span.saturating_mul(10);
        }
    }

    fn read_to_end(&self, partition: i32, start: i64, high: i64) -> KafkaResult<u64> {
        if start >= high {
            return Ok(0);
        }
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&self.topic, partition, Offset::Offset(start))?;
        self.consumer.assign(&assignment)?;
        let mut last = 0;
        let mut deadline = Instant::now() + TIMEOUT;
        loop {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    deadline = Instant::now() + TIMEOUT;
                    let position = record
                        .headers()
                        .and_then(|headers| CloudEvent::from_headers(headers).ok())
                        .and_then(|event| event.position);
                    last = last.max(position.unwrap_or(0));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
                Some(Err(error)) => return Err(error),
                None if Instant::now() > deadline => {
                    return Err(KafkaError::MessageConsumption(
                        RDKafkaErrorCode::OperationTimedOut,
                    ));
                }
                None => {}
            }
        }
    }
}

/// What `send_offsets_to_transaction` commits.
pub(super) fn offsets(topic: &str, position: u64) -> KafkaResult<TopicPartitionList> {
    let position = i64::try_from(position)
        .map_err(|_| KafkaError::SetPartitionOffset(RDKafkaErrorCode::InvalidArgument))?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, CURSOR_PARTITION, Offset::Offset(position))?;
    Ok(offsets)
}
