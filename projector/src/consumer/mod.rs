//! From Kafka's partitions to a projection's workers.
//!
//! A consumer has a thread of its own, because librdkafka calls back on the thread that polls, and a
//! rebalance must not return before the workers of the partitions taken away have ended. The
//! checkpoint in MySQL is the truth about what was read; what the broker is told is for its tools.

mod context;
mod lanes;
mod worker;

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use marquee_infra::kafka::ClientSettings;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, KafkaResult},
};
use tokio::sync::oneshot;

pub use self::lanes::Shared;
use self::{context::Context, lanes::Wish};
use crate::projection::Projection;

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// While a partition is paused it is looked at this often.
const BUSY_POLL_TIMEOUT: Duration = Duration::from_millis(5);
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
const SEEK_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failure that ends a consumer.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// What librdkafka holds ready, for all partitions together: so many records, or so much of their
/// values. A record takes three times as much memory as its value, or more: its headers and librdkafka's
/// notes are not counted, which is why their number is bounded, too.
const PREFETCHED_RECORDS: &str = "2000";
const PREFETCHED_KIB: &str = "4096";
/// Of a partition, in one answer of the broker's: by so much of each it may be more than that.
const FETCHED_BYTES: &str = "262144";

/// A consumer that runs on its own thread until the shared token is cancelled.
#[derive(Debug)]
pub struct Consumer {
    ended: oneshot::Receiver<()>,
}

impl Consumer {
    pub fn start<P: Projection>(
        client: &ClientSettings,
        group: &str,
        shared: Shared<P>,
    ) -> io::Result<Self> {
        let config = config(client, group);
        let (alive, ended) = oneshot::channel();
        thread::Builder::new().name(format!("consume-{}", P::NAME)).spawn(move || {
            let shared = Arc::new(shared);
            while !shared.stop.is_cancelled() {
                if let Err(error) = consume(&config, &shared) {
                    tracing::error!(projection = P::NAME, %error, "the consumer starts anew");
                    shared.runtime.block_on(async {
                        tokio::time::timeout(RECONNECT_PAUSE, shared.stop.cancelled()).await.ok()
                    });
                }
            }
            drop(alive);
        })?;
        Ok(Self { ended })
    }

    /// Resolves when the thread has ended, also by a panic.
    pub async fn ended(self) {
        let _ = self.ended.await;
    }
}

fn config(client: &ClientSettings, group: &str) -> ClientConfig {
    let mut config = client.client_config();
    config
        .set("group.id", group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        // A killed projector's partitions go to another one after this long.
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "1500")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // The checkpoint says where to read. Where it points at nothing, everything is read again:
        // what was applied is known by its version.
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("enable.partition.eof", "true")
        .set("statistics.interval.ms", "1000")
        .set("queued.min.messages", PREFETCHED_RECORDS)
        .set("queued.max.messages.kbytes", PREFETCHED_KIB)
        .set("max.partition.fetch.bytes", FETCHED_BYTES)
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.error.backoff.ms", "100");
    config
}

fn consume<P: Projection>(config: &ClientConfig, shared: &Arc<Shared<P>>) -> KafkaResult<()> {
    let context = Context::new(Arc::clone(shared));
    let consumer = BaseConsumer::from_config_and_context(config, context)?;
    consumer.subscribe(&[&shared.topic])?;
    let mut thread =
        ConsumerThread { consumer, shared, committed_at: Instant::now(), complaint: None };
    let result = thread.run();
    // Leaving the group takes the partitions away, which ends their workers.
    drop(thread);
    result
}

struct ConsumerThread<'a, P: Projection> {
    consumer: BaseConsumer<Context<P>>,
    shared: &'a Shared<P>,
    committed_at: Instant,
    /// The last error that was logged.
    complaint: Option<String>,
}

impl<P: Projection> ConsumerThread<'_, P> {
    fn run(&mut self) -> KafkaResult<()> {
        let mut poll_timeout = POLL_TIMEOUT;
        while !self.shared.stop.is_cancelled() {
            self.shared.progress.polls(P::NAME);
            match self.consumer.poll(poll_timeout) {
                Some(Ok(message)) => {
                    self.complaint = None;
                    let record = message.detach();
                    let wish = self.consumer.context().lanes().deliver(record);
                    if let Some(wish) = wish {
                        self.grant(&wish);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.complaint = None;
                    self.consumer.context().lanes().reached_end(partition);
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
                Some(Err(error)) => self.complain(&error),
                None => {}
            }
            let wishes = self.consumer.context().lanes().wishes();
            for wish in &wishes {
                self.grant(wish);
            }
            let busy = self.consumer.context().lanes().any_waiting();
            poll_timeout = if busy { BUSY_POLL_TIMEOUT } else { POLL_TIMEOUT };
            self.commit();
        }
        Ok(())
    }

    fn grant(&self, wish: &Wish) {
        let done = match wish {
            Wish::Pause(partition) => self.consumer.pause(&self.list([(*partition, None)])),
            Wish::Resume(partition) => self.consumer.resume(&self.list([(*partition, None)])),
            Wish::Restart(partition) => self.restart(*partition),
        };
        if let Err(error) = done {
            tracing::warn!(projection = P::NAME, ?wish, %error, "librdkafka refused");
        }
    }

    /// Reads the partition again from its checkpoint, with a new worker.
    fn restart(&self, partition: i32) -> KafkaResult<()> {
        let mut lanes = self.consumer.context().lanes();
        lanes.postpone_restart(partition);
        let Ok(next_offset) = lanes.checkpoint(partition) else { return Ok(()) };
        let offset = Offset::Offset(next_offset);
        self.consumer.seek(&self.shared.topic, partition, offset, SEEK_TIMEOUT)?;
        lanes.open(partition, next_offset);
        // It may have been paused for its last worker.
        self.consumer.resume(&self.list([(partition, None)]))
    }

    fn commit(&mut self) {
        if self.committed_at.elapsed() < COMMIT_INTERVAL {
            return;
        }
        self.committed_at = Instant::now();
        let offsets = self.consumer.context().lanes().next_offsets();
        if offsets.is_empty() {
            return;
        }
        let offsets =
            self.list(offsets.into_iter().map(|(partition, next)| (partition, Some(next))));
        if let Err(error) = self.consumer.commit(&offsets, CommitMode::Async) {
            tracing::debug!(projection = P::NAME, %error, "offsets were not committed");
        }
    }

    fn list(&self, partitions: impl IntoIterator<Item = (i32, Option<i64>)>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            let mut element = list.add_partition(&self.shared.topic, partition);
            if let Some(offset) = offset {
                // An offset that is a number is always valid.
                let _ = element.set_offset(Offset::Offset(offset));
            }
        }
        list
    }

    /// librdkafka repeats itself while a broker is away; the log says it once.
    fn complain(&mut self, error: &KafkaError) {
        let text = error.to_string();
        if self.complaint.as_ref() != Some(&text) {
            tracing::warn!(projection = P::NAME, error = text, "Kafka can't be read at the moment");
            self.complaint = Some(text);
        }
    }
}
