//! Where everything stands, for an operator: asked of MySQL and Kafka, not of a running projector.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use marquee_infra::{
    clock, event_log::EventReader, kafka::ClientSettings, settings::TopicsSettings,
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfig,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use serde::Serialize;
use sqlx::{FromRow, MySqlPool};

use crate::{
    catalog::Catalog,
    catalog_topic::{CatalogTopicSettings, Standing, standing},
    projection::Projection,
    rebuild::{self, RebuildStatus},
};

const KAFKA_TIMEOUT: Duration = Duration::from_secs(5);
/// A lag up to this is counted record by record; a longer one is the difference of the offsets,
/// which also number the marks that end transactions.
const MAX_COUNTED: i64 = 10_000;

#[derive(Debug, Serialize)]
pub struct Status {
    pub log_head: u64,
    pub projected_position: u64,
    pub lag_events: i64,
    pub parked_records: i64,
    pub parked_movies: i64,
    pub lanes: Vec<LaneStatus>,
    pub catalog_topic: Vec<Standing>,
    pub rebuild: RebuildStatus,
    /// What can't be, whatever is running: none if all is well.
    pub contradiction: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct LaneStatus {
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// None: Kafka has no such partition.
    pub lag_events: Option<i64>,
    /// How long ago the checkpoint moved.
    pub age_seconds: i64,
}

#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Checkpoint {
    pub projection: String,
    pub topic: String,
    #[serde(rename = "partition")]
    pub kafka_partition: i32,
    pub next_offset: i64,
    pub position: u64,
    pub updated_at: DateTime<Utc>,
}

pub async fn collect(
    pool: &MySqlPool,
    client: &ClientSettings,
    topics: &TopicsSettings,
) -> anyhow::Result<Status> {
    let checkpoints: Vec<Checkpoint> = sqlx::query_as(
        "SELECT projection, topic, kafka_partition, next_offset, position, updated_at
         FROM projection_checkpoints ORDER BY projection, topic, kafka_partition",
    )
    .fetch_all(pool)
    .await
    .context("MySQL can't be asked")?;
    let (parked_records, parked_movies): (i64, i64) =
        sqlx::query_as("SELECT COUNT(*), COUNT(DISTINCT NULLIF(movie_id, '')) FROM parked_events")
            .fetch_one(pool)
            .await?;
    // Read after the checkpoints: the log can only have grown since.
    let log_head = EventReader::new(pool.clone()).head().await?;
    let catalog_topic = CatalogTopicSettings::new(client.clone(), topics);
    let client = client.clone();
    let asked = checkpoints.clone();
    let lags = tokio::task::spawn_blocking(move || lags(&client, &asked)).await??;
    let catalog_topic = standing(pool, &catalog_topic).await?;
    let rebuild = rebuild::status(pool).await.context("MySQL can't be asked about a rebuild")?;

    let now = clock::now();
    let projected_position = checkpoints
        .iter()
        .filter(|one| one.projection == Catalog::NAME)
        .map(|one| one.position)
        .max()
        .unwrap_or_default();
    let lanes: Vec<LaneStatus> = checkpoints
        .into_iter()
        .zip(lags)
        .map(|(checkpoint, lag_events)| LaneStatus {
            age_seconds: (now - checkpoint.updated_at).num_seconds(),
            checkpoint,
            lag_events,
        })
        .collect();
    let contradiction = (projected_position > log_head).then(|| {
        format!("position {projected_position} was projected, the event log ends at {log_head}")
    });
    Ok(Status {
        log_head,
        projected_position,
        lag_events: lanes.iter().filter_map(|lane| lane.lag_events).sum(),
        parked_records,
        parked_movies,
        lanes,
        catalog_topic,
        rebuild,
        contradiction,
    })
}

/// How many records wait behind each checkpoint.
fn lags(client: &ClientSettings, checkpoints: &[Checkpoint]) -> anyhow::Result<Vec<Option<i64>>> {
    let mut config = client.client_config();
    config
        .set("group.id", "marquee.projector-status")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true");
    let consumer = BaseConsumer::from_config(&config)?;
    checkpoints
        .iter()
        .map(|checkpoint| {
            let (topic, partition) = (checkpoint.topic.as_str(), checkpoint.kafka_partition);
            match consumer.fetch_watermarks(topic, partition, KAFKA_TIMEOUT) {
                Ok((low, high)) => {
                    let difference = (high - checkpoint.next_offset.max(low)).max(0);
                    if (1..=MAX_COUNTED).contains(&difference) {
                        count(&consumer, checkpoint).map(Some)
                    } else {
                        Ok(Some(difference))
                    }
                }
                Err(error) if marquee_infra::kafka::is_unavailable(&error) => {
                    Err(error).context("Kafka can't be asked")
                }
                Err(_) => Ok(None),
            }
        })
        .collect()
}

fn count(consumer: &BaseConsumer, checkpoint: &Checkpoint) -> anyhow::Result<i64> {
    let mut from = TopicPartitionList::new();
    let offset = Offset::Offset(checkpoint.next_offset);
    from.add_partition_offset(&checkpoint.topic, checkpoint.kafka_partition, offset)?;
    consumer.assign(&from)?;
    let deadline = Instant::now() + KAFKA_TIMEOUT;
    let mut waiting = 0;
    loop {
        match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            Some(Ok(record)) => waiting += i64::from(record.offset() >= checkpoint.next_offset),
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => return Err(error).context("Kafka can't be read"),
            None if Instant::now() < deadline => {}
            None => anyhow::bail!("Kafka did not answer in time"),
        }
        if waiting > MAX_COUNTED {
            break;
        }
    }
    consumer.unassign()?;
    Ok(waiting)
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "event log ends at    {}", self.log_head)?;
        writeln!(f, "projected up to      {}", self.projected_position)?;
        writeln!(f, "events waiting       {}", self.lag_events)?;
        writeln!(
            f,
            "parked               {} records, {} movies",
            self.parked_records, self.parked_movies
        )?;
        if let Some(contradiction) = &self.contradiction {
            writeln!(f, "CONTRADICTION        {contradiction}")?;
        }
        let mut by_projection: BTreeMap<&str, Vec<&LaneStatus>> = BTreeMap::new();
        for lane in &self.lanes {
            by_projection.entry(&lane.checkpoint.projection).or_default().push(lane);
        }
        for (projection, lanes) in by_projection {
            writeln!(f, "\n{projection}")?;
            writeln!(f, "  partition   waiting  next offset   position   moved")?;
            for lane in lanes {
                let waiting =
                    lane.lag_events.map_or("no topic".to_owned(), |waiting| waiting.to_string());
                writeln!(
                    f,
                    "  {:>9}  {waiting:>8}  {:>11}  {:>9}   {} s ago",
                    lane.checkpoint.kafka_partition,
                    lane.checkpoint.next_offset,
                    lane.checkpoint.position,
                    lane.age_seconds
                )?;
            }
        }
        writeln!(f, "\ncatalog topic\n  partition   waiting   position")?;
        for Standing { partition, published_position, waiting_movies } in &self.catalog_topic {
            let position = published_position.unwrap_or(0);
            writeln!(f, "  {partition:>9}  {waiting_movies:>8}  {position:>9}")?;
        }
        write!(f, "{}", self.rebuild)
    }
}
