//! Where the topic stands, asked of MySQL and Kafka, not of a running publisher.

use anyhow::Context;
use marquee_infra::kafka::CursorStore;
use serde::Serialize;
use sqlx::MySqlPool;

use super::{
    CatalogTopicSettings,
    cursor::{Cursor, Cursors, next},
    rows,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub partition: i32,
    /// The topic has the read models as they were at this position; none if Kafka keeps no cursor.
    pub published_position: Option<u64>,
    /// Movies that changed since.
    pub waiting_movies: i64,
}

pub async fn standing(
    pool: &MySqlPool,
    settings: &CatalogTopicSettings,
) -> anyhow::Result<Vec<Standing>> {
    let checkpoints =
        rows::checkpoints(pool, &settings.topics.movies).await.context("MySQL can't be asked")?;
    let partitions: Vec<i32> = checkpoints.iter().map(|one| one.kafka_partition).collect();
    let cursors = cursors(settings, partitions).await?;
    let mut standings = Vec::with_capacity(checkpoints.len());
    for checkpoint in checkpoints {
        let partition = checkpoint.kafka_partition;
        let cursor = cursors.get(&partition).copied();
        let waiting_movies = match next(cursor, &checkpoint) {
            Some(after) => rows::waiting(pool, partition, after).await?,
            None => 0,
        };
        let published_position = cursor.map(|cursor| cursor.position);
        standings.push(Standing { partition, published_position, waiting_movies });
    }
    Ok(standings)
}

/// The cursors that Kafka keeps.
pub async fn cursors(
    settings: &CatalogTopicSettings,
    partitions: Vec<i32>,
) -> anyhow::Result<Cursors> {
    let settings = settings.clone();
    let marks = tokio::task::spawn_blocking(move || {
        let group = &settings.consumer_group;
        CursorStore::open(&settings.kafka, group, &settings.topics.movies)?.marks(&partitions)
    })
    .await?
    .context("Kafka can't be asked for the catalog topic's cursor")?;
    Ok(marks.iter().filter_map(|mark| Some((mark.partition, Cursor::from_mark(mark)?))).collect())
}
