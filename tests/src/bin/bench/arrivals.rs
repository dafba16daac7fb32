//! When records reach a read_committed consumer, by this process's clock.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::ensure;
use marquee_infra::kafka::QuietContext;
use marquee_tests::servers::servers;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    metadata::MetadataTopic,
};

const POLL: Duration = Duration::from_millis(100);
const METADATA_TIMEOUT: Duration = Duration::from_secs(30);

type Consuming = BaseConsumer<QuietContext>;

/// Of one topic's records, from the moment it was made on, by their keys.
pub struct Arrivals {
    seen: Arc<Mutex<HashMap<String, Instant>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Arrivals {
    pub fn of(topic: &str) -> anyhow::Result<Self> {
        let consumer = consumer(topic)?;
        let (seen, stop) = (Arc::<Mutex<HashMap<_, _>>>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    // What goes wrong shows as records that never arrive.
                    let Some(Ok(record)) = consumer.poll(POLL) else { continue };
                    let now = Instant::now();
                    let key = String::from_utf8_lossy(record.key().unwrap_or_default());
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.entry(key.into_owned()).or_insert(now);
                }
            }
        });
        Ok(Self { seen, stop, thread: Some(thread) })
    }

    pub fn get(&self, key: &str) -> Option<Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn consumer(topic: &str) -> anyhow::Result<Consuming> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &servers().kafka_brokers)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed");
    let consumer = Consuming::from_config_and_context(&config, QuietContext)?;
    let metadata = consumer.fetch_metadata(Some(topic), METADATA_TIMEOUT)?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        // The end now, not when the first fetch gets around to asking.
        let (_, end) = consumer.fetch_watermarks(topic, partition.id(), METADATA_TIMEOUT)?;
        assignment.add_partition_offset(topic, partition.id(), Offset::Offset(end))?;
    }
    ensure!(assignment.count() > 0, "{topic} has no partitions");
    consumer.assign(&assignment)?;
    Ok(consumer)
}
