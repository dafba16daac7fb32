//! Where everything stands, for an operator: asked of MySQL and Kafka, not of a running projector.

mod agreement;
mod kafka;
mod show;

use anyhow::Context;
use chrono::{DateTime, Utc};
use marquee_infra::{clock, event_log::EventReader};
use serde::Serialize;
use sqlx::{FromRow, MySqlPool};

use self::{agreement::Ends, kafka::Waiting};
use crate::{
    audit::relay_cursor,
    catalog::Catalog,
    catalog_topic::{CatalogTopicSettings, Standing, standing},
    dead_letters,
    projection::Projection,
    projections,
    rebuild::{self, RebuildStatus},
    settings::Settings,
};

#[derive(Debug, Serialize)]
pub struct Status {
    pub log_head: u64,
    /// Up to where the relay has published the log; none if nobody knows.
    pub published_position: Option<u64>,
    pub projected_position: u64,
    pub lag_events: i64,
    /// Of the partition that is furthest behind.
    pub lag_seconds: f64,
    pub parked_records: i64,
    pub parked_movies: i64,
    /// Copies of parked records that are not in the topic of dead letters yet.
    pub dead_letters_waiting: i64,
    /// Whether log, Kafka and read models are at the same place, with nothing parked.
    pub agree: bool,
    /// Why they are not: what is still under way, and what is parked.
    pub differences: Vec<String>,
    /// What can't be, whatever is running: none if all is well.
    pub contradiction: Option<String>,
    pub lanes: Vec<LaneStatus>,
    pub catalog_topic: Vec<Standing>,
    pub rebuild: RebuildStatus,
}

#[derive(Debug, Serialize)]
pub struct LaneStatus {
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// None: Kafka has no such partition.
    pub lag_events: Option<i64>,
    /// How long ago the oldest of them came to be.
    pub lag_seconds: Option<f64>,
    /// How long ago the checkpoint moved; none if it never did.
    pub age_seconds: Option<i64>,
}

#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Checkpoint {
    pub projection: String,
    pub topic: String,
    #[serde(rename = "partition")]
    pub kafka_partition: i32,
    pub next_offset: i64,
    pub position: u64,
    pub updated_at: Option<DateTime<Utc>>,
}

pub async fn collect(pool: &MySqlPool, settings: &Settings) -> anyhow::Result<Status> {
    let Settings { kafka: client, topics, .. } = settings;
    let mut checkpoints: Vec<Checkpoint> = sqlx::query_as(
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
    let dead_letters_waiting = dead_letters::waiting(pool).await?;
    // What comes earlier on the way is asked later: it can only have grown since.
    let published_position = relay_cursor(pool, settings).await?;
    let log_head = EventReader::new(pool.clone()).head().await?;
    let (kafka_client, known) = (client.clone(), checkpoints.clone());
    let projected = projections::topics(topics.names());
    let (new, waiting) =
        tokio::task::spawn_blocking(move || kafka::waiting(&kafka_client, &projected, &known))
            .await??;
    checkpoints.extend(new);
    let catalog_topic = standing(pool, &CatalogTopicSettings::new(client.clone(), topics)).await?;
    let rebuild = rebuild::status(pool).await.context("MySQL can't be asked about a rebuild")?;

    let ends = Ends {
        log_head,
        published: published_position,
        projected: projected_position(&checkpoints),
    };
    let now = clock::now();
    let lanes: Vec<LaneStatus> = checkpoints
        .into_iter()
        .zip(waiting)
        .map(|(checkpoint, waiting)| LaneStatus::of(checkpoint, waiting, now))
        .collect();
    let lag_events = lanes.iter().filter_map(|lane| lane.lag_events).sum();
    let contradiction = ends.contradiction();
    let differences = ends.differences(lag_events, parked_records, parked_movies);
    Ok(Status {
        log_head,
        published_position,
        projected_position: ends.projected,
        lag_events,
        lag_seconds: lanes.iter().filter_map(|lane| lane.lag_seconds).fold(0.0, f64::max),
        parked_records,
        parked_movies,
        dead_letters_waiting,
        agree: contradiction.is_none() && differences.is_empty(),
        differences,
        contradiction,
        lanes,
        catalog_topic,
        rebuild,
    })
}

fn projected_position(checkpoints: &[Checkpoint]) -> u64 {
    checkpoints
        .iter()
        .filter(|one| one.projection == Catalog::NAME)
        .map(|one| one.position)
        .max()
        .unwrap_or_default()
}

impl Checkpoint {
    /// Of a partition that no projector has begun with.
    fn none(projection: &str, topic: &str, partition: i32) -> Self {
        Self {
            projection: projection.to_owned(),
            topic: topic.to_owned(),
            kafka_partition: partition,
            next_offset: 0,
            position: 0,
            updated_at: None,
        }
    }
}

impl LaneStatus {
    fn of(checkpoint: Checkpoint, waiting: Option<Waiting>, now: DateTime<Utc>) -> Self {
        let seconds = |oldest: DateTime<Utc>| (now - oldest).to_std().unwrap_or_default();
        Self {
            lag_events: waiting.map(|waiting| waiting.events),
            lag_seconds: waiting.map(|waiting| {
                waiting.oldest_at.map_or(0.0, |oldest| seconds(oldest).as_secs_f64())
            }),
            age_seconds: checkpoint.updated_at.map(|moved| (now - moved).num_seconds()),
            checkpoint,
        }
    }
}
