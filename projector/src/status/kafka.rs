//! How much of a topic waits behind each checkpoint. Blocking: for a thread of its own.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use marquee_infra::kafka::{ClientSettings, QuietContext, is_unavailable};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    metadata::{MetadataPartition, MetadataTopic},
};

use super::Checkpoint;

const TIMEOUT: Duration = Duration::from_secs(5);
/// A lag up to this is counted record by record; a longer one is the difference of the offsets,
/// which also number the marks that end transactions.
const MAX_COUNTED: i64 = 10_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub events: i64,
    pub oldest_at: Option<DateTime<Utc>>,
}

type Asking = BaseConsumer<QuietContext>;

/// Checkpoints for the partitions that have none, and what waits behind each: first the known ones,
/// then those.
pub fn waiting(
    client: &ClientSettings,
    projected: &[(&'static str, String)],
    known: &[Checkpoint],
) -> anyhow::Result<(Vec<Checkpoint>, Vec<Option<Waiting>>)> {
    let mut config = client.client_config();
    config
        .set("group.id", "marquee.projector-status")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true");
    let consumer = Asking::from_config_and_context(&config, QuietContext)?;
    let mut new = Vec::new();
    for (projection, topic) in projected {
        let partitions = partitions(&consumer, topic)?;
        let begun: BTreeSet<i32> = known
            .iter()
            .filter(|one| one.projection == *projection && one.topic == *topic)
            .map(|one| one.kafka_partition)
            .collect();
        let missing = partitions.difference(&begun);
        new.extend(missing.map(|partition| Checkpoint::none(projection, topic, *partition)));
    }
    let waiting =
        known.iter().chain(&new).map(|one| behind(&consumer, one)).collect::<Result<_, _>>()?;
    Ok((new, waiting))
}

fn partitions(consumer: &Asking, topic: &str) -> anyhow::Result<BTreeSet<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).context("Kafka can't be asked")?;
    let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
    Ok(partitions.map(MetadataPartition::id).collect())
}

/// None: Kafka has no such partition.
fn behind(consumer: &Asking, checkpoint: &Checkpoint) -> anyhow::Result<Option<Waiting>> {
    let (topic, partition) = (checkpoint.topic.as_str(), checkpoint.kafka_partition);
    let (low, high) = match consumer.fetch_watermarks(topic, partition, TIMEOUT) {
        Ok(watermarks) => watermarks,
        Err(error) if is_unavailable(&error) => {
            return Err(error).context("Kafka can't be asked");
        }
        Err(_) => return Ok(None),
    };
    let difference = high - checkpoint.next_offset.max(low);
    if difference <= 0 {
        return Ok(Some(Waiting::default()));
    }
    let counts = difference <= MAX_COUNTED;
    let read = read(consumer, checkpoint, if counts { MAX_COUNTED } else { 1 })?;
    Ok(Some(if counts { read } else { Waiting { events: difference, ..read } }))
}

/// Reads on from the checkpoint until the end, or until there are `max` records.
fn read(consumer: &Asking, checkpoint: &Checkpoint, max: i64) -> anyhow::Result<Waiting> {
    let mut from = TopicPartitionList::new();
    let offset = Offset::Offset(checkpoint.next_offset);
    from.add_partition_offset(&checkpoint.topic, checkpoint.kafka_partition, offset)?;
    consumer.assign(&from)?;
    let deadline = Instant::now() + TIMEOUT;
    let mut waiting = Waiting::default();
    while waiting.events < max {
        match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            Some(Ok(record)) if record.offset() >= checkpoint.next_offset => {
                waiting.events += 1;
                let at = record.timestamp().to_millis().and_then(DateTime::from_timestamp_millis);
                waiting.oldest_at = waiting.oldest_at.or(at);
            }
            Some(Ok(_)) => {}
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(error).context("Kafka can't be read"),
            None if Instant::now() < deadline => {}
            None => anyhow::bail!("Kafka did not answer in time"),
        }
    }
    consumer.unassign()?;
    Ok(waiting)
}
