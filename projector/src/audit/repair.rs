//! Mending what can be: positions that Kafka lacks, rows that are not what the log adds up to, and
//! documents that are not the rows'.

use std::collections::BTreeSet;

use anyhow::Context;
use marquee_domain::MovieId;
use marquee_infra::{
    clock,
    event_log::{EventReader, LogInspector, RecordedEvent},
    kafka::{CloudEvent, CursorStore, Mark, TransactionalProducer, partition_of},
};
use rdkafka::{message::Header, producer::FutureRecord};
use sqlx::MySqlPool;

use super::{REPAIRED_AT, Range, read_models::ToMend};
use crate::{
    catalog::Catalog,
    checkpoint::{self, Lane},
    projection::Projection,
    settings::Settings,
};

/// In one Kafka transaction.
const MAX_EVENTS: usize = 500;

/// What is said before anything is changed.
pub const EXPLANATION: &str = "\
A repair adds the missing positions to the end of marquee.movies.v1, marked ce_repairedat. They come
after later events of their movies: consumers that go by ce_position or ce_sequence see them late,
those that took a later position for the end of earlier ones never ask for them. The projector has
no need of it: it fills holes from the event log. Rows that are not what the event log adds up to are
projected anew, documents on the catalog topic published anew.";

/// Whoever opens it last is the only one who can publish: two repairs at once add nothing twice, as
/// long as each opens it before it looks for what is missing.
pub async fn open(settings: &Settings) -> anyhow::Result<TransactionalProducer> {
    let group = settings.topics.group("marquee.projector-repair.v1");
    let topic = settings.topics.names().movies;
    let store = CursorStore::open(&settings.kafka, &group, &topic)?;
    let id = settings.topics.group("marquee-projector-repair");
    TransactionalProducer::open(&settings.kafka, &id, store)
        .await
        .context("Kafka does not let a repair begin")
}

/// Publishes the events at these positions, in order; answers how many.
pub async fn publish(
    producer: &TransactionalProducer,
    topic: &str,
    log: &LogInspector,
    missing: &[Range],
) -> anyhow::Result<u64> {
    let mut published = 0;
    let mut positions = missing.iter().flat_map(|range| range.from..=range.to).peekable();
    while positions.peek().is_some() {
        let chunk: Vec<u64> = positions.by_ref().take(MAX_EVENTS).collect();
        let events = log.at(&chunk).await?;
        publish_batch(producer, topic, &events).await?;
        published += events.len() as u64;
    }
    Ok(published)
}

async fn publish_batch(
    producer: &TransactionalProducer,
    topic: &str,
    events: &[RecordedEvent],
) -> anyhow::Result<()> {
    let Some(last) = events.last() else { return Ok(()) };
    let now = clock::now().to_rfc3339();
    let keys: Vec<String> = events.iter().map(|event| event.movie_id.to_string()).collect();
    let record = |(event, key): (&'_ RecordedEvent, &'_ String)| {
        let headers = CloudEvent::from(event).to_headers();
        let headers = headers.insert(Header { key: REPAIRED_AT, value: Some(now.as_str()) });
        (event.payload.get().as_bytes().to_vec(), headers, key.clone(), event.recorded_at)
    };
    let parts: Vec<_> = events.iter().zip(&keys).map(record).collect();
    let records = parts.iter().map(|(payload, headers, key, recorded_at)| {
        FutureRecord::to(topic)
            .key(key.as_str())
            .payload(payload.as_slice())
            .headers(headers.clone())
            .timestamp(recorded_at.timestamp_millis())
    });
    let mark = Mark { partition: 0, offset: i64::try_from(last.position)?, note: now.clone() };
    producer.publish(records.collect(), vec![mark]).await.context("Kafka did not take a batch")
}

/// Projects movies anew, and has documents published anew; answers how many movies, of how many
/// partitions, and which movies could not be mended.
pub async fn read_models(
    pool: &MySqlPool,
    topic: &str,
    partitions: i32,
    to_mend: &ToMend,
) -> anyhow::Result<Mended> {
    let mut mended = Mended::default();
    let log = EventReader::new(pool.clone());
    let inspector = LogInspector::new(pool.clone());
    for movie_id in &to_mend.movies {
        match reproject(pool, &log, &inspector, topic, partitions, *movie_id).await {
            Ok(()) => mended.movies += 1,
            Err(error) => mended.failed.push(format!("movie {movie_id}: {error:#}")),
        }
    }
    // Projecting a movie anew has its partition published anew, too.
    for partition in &to_mend.partitions {
        let lane = lane(topic, *partition);
        let mut tx = pool.begin().await?;
        checkpoint::begin_repair(&mut tx, &lane).await?;
        tx.commit().await?;
        mended.partitions.insert(*partition);
    }
    Ok(mended)
}

#[derive(Debug, Default)]
pub struct Mended {
    pub movies: usize,
    pub partitions: BTreeSet<i32>,
    pub failed: Vec<String>,
}

/// One transaction that keeps the partition's worker waiting: the movie's rows are made from nothing,
/// as of the checkpoint.
async fn reproject(
    pool: &MySqlPool,
    log: &EventReader,
    inspector: &LogInspector,
    topic: &str,
    partitions: i32,
    movie_id: MovieId,
) -> anyhow::Result<()> {
    let partition = partition_of(movie_id.to_string().as_bytes(), partitions);
    let lane = lane(topic, partition);
    let mut tx = pool.begin().await?;
    checkpoint::begin_repair(&mut tx, &lane).await?;
    let position = checkpoint::position(&mut tx, &lane).await?;
    let version = inspector.version_at(movie_id, position).await?;
    Catalog::new(log.clone()).reproject(&mut tx, movie_id, partition, version).await?;
    tx.commit().await?;
    Ok(())
}

fn lane(topic: &str, partition: i32) -> Lane {
    Lane { projection: Catalog::NAME, topic: topic.to_owned(), partition }
}
