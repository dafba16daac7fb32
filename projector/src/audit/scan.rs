//! Reading a topic from its beginning to the end that it has now, with a consumer that no group
//! knows of.

use std::time::{Duration, Instant};

use anyhow::Context;
use marquee_infra::kafka::{ClientSettings, CloudEvent, CloudEventError, QuietContext};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedHeaders, BorrowedMessage, Headers, OwnedHeaders},
    metadata::MetadataTopic,
};
use tokio::sync::mpsc;

const ASK: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(200);
/// A broker that sends nothing for so long is taken for lost.
const SILENCE: Duration = Duration::from_secs(30);
/// Of a batch. Few of them are on their way at any time.
const MAX_RECORDS: usize = 500;
const MAX_BYTES: usize = 1 << 20;
const BATCHES: usize = 4;

/// An attribute of records that a repair published: when.
pub const REPAIRED_AT: &str = "ce_repairedat";

#[derive(Debug)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub about: Result<CloudEvent, CloudEventError>,
    /// Published by a repair, and for that reason after those behind it.
    pub repaired: bool,
    pub value: Option<Vec<u8>>,
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let none = OwnedHeaders::new();
        let headers = message.headers().map_or(none, BorrowedHeaders::detach);
        let about = CloudEvent::from_headers(&headers);
        // Names that are not text make rdkafka panic; where the attributes were read, all are text.
        let repaired = about.is_ok() && headers.iter().any(|header| header.key == REPAIRED_AT);
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            about,
            repaired,
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    pub fn key_text(&self) -> Option<&str> {
        self.key.as_deref().and_then(|key| std::str::from_utf8(key).ok())
    }
}

/// A topic while it is read: one partition after the other, each in order.
#[derive(Debug)]
pub struct Scan {
    pub partitions: i32,
    /// How many records there are at most; marks of transactions are counted, too.
    pub expected: u64,
    batches: mpsc::Receiver<anyhow::Result<Vec<Record>>>,
}

impl Scan {
    /// The ends of the partitions are those of the moment when this returns.
    pub async fn start(client: &ClientSettings, topic: &str) -> anyhow::Result<Self> {
        let (client, topic) = (client.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            let reader = Reader::open(&client, &topic)
                .with_context(|| format!("topic {topic} can't be read"))?;
            let (sender, batches) = mpsc::channel(BATCHES);
            let partitions = i32::try_from(reader.ends.len())?;
            let size = |(_, low, high): &(i32, i64, i64)| u64::try_from(high - low).unwrap_or(0);
            let expected = reader.ends.iter().map(size).sum();
            std::thread::Builder::new().name("audit-scan".to_owned()).spawn(move || {
                if let Err(error) = reader.read(&sender) {
                    // Nobody listens any more: nobody wants to know.
                    let _ = sender.blocking_send(Err(error));
                }
            })?;
            Ok(Self { partitions, expected, batches })
        })
        .await?
    }

    /// The next records; none at the end.
    pub async fn next(&mut self) -> anyhow::Result<Option<Vec<Record>>> {
        self.batches.recv().await.transpose()
    }
}

struct Reader {
    consumer: BaseConsumer<QuietContext>,
    topic: String,
    /// Partition, first offset, the offset after the last.
    ends: Vec<(i32, i64, i64)>,
}

impl Reader {
    fn open(client: &ClientSettings, topic: &str) -> anyhow::Result<Self> {
        let mut config = client.client_config();
        config
            // librdkafka wants a name; the group is never joined, and nothing is committed.
            .set("group.id", "marquee.projector-audit-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // Every partition's end is waited for so long.
            .set("fetch.wait.max.ms", "20")
            .set("queued.max.messages.kbytes", "16384");
        let consumer = BaseConsumer::from_config_and_context(&config, QuietContext)?;
        let metadata = consumer.fetch_metadata(Some(topic), ASK)?;
        let mut ends = Vec::new();
        for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
            let (low, high) = consumer.fetch_watermarks(topic, partition.id(), ASK)?;
            ends.push((partition.id(), low, high));
        }
        anyhow::ensure!(!ends.is_empty(), "there is no such topic");
        ends.sort_unstable();
        Ok(Self { consumer, topic: topic.to_owned(), ends })
    }

    fn read(&self, sender: &mpsc::Sender<anyhow::Result<Vec<Record>>>) -> anyhow::Result<()> {
        for (partition, low, high) in &self.ends {
            if low < high && !self.read_partition(*partition, *low, *high, sender)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether somebody still listens.
    fn read_partition(
        &self,
        partition: i32,
        low: i64,
        high: i64,
        sender: &mpsc::Sender<anyhow::Result<Vec<Record>>>,
    ) -> anyhow::Result<bool> {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(&self.topic, partition, Offset::Offset(low))?;
        self.consumer.assign(&assignment)?;
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut heard_at = Instant::now();
        loop {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) if message.offset() < high => {
                    heard_at = Instant::now();
                    bytes += message.payload_len();
                    let is_last = message.offset() + 1 == high;
                    batch.push(Record::of(&message));
                    if is_last {
                        break;
                    }
                }
                // It came after the audit began, or the end is here.
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => break,
                // librdkafka tries again by itself.
                Some(Err(error)) if heard_at.elapsed() > SILENCE => {
                    return Err(error).context("Kafka can't be read");
                }
                None if heard_at.elapsed() > SILENCE => {
                    anyhow::bail!("Kafka sends nothing of partition {partition}");
                }
                Some(Err(_)) | None => {}
            }
            if batch.len() >= MAX_RECORDS || bytes >= MAX_BYTES {
                bytes = 0;
                if sender.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
                    return Ok(false);
                }
            }
        }
        Ok(batch.is_empty() || sender.blocking_send(Ok(batch)).is_ok())
    }
}
