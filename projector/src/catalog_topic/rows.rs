//! Reading what changed in the catalog's tables. A movie's `state` is all of it, in one row.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use marquee_domain::MovieId;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{FromRow, MySqlPool, Row, mysql::MySqlRow, types::Json};

use crate::{catalog::Catalog, projection::Projection};

/// How far the read models have come in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow, Serialize)]
pub struct Checkpoint {
    pub kafka_partition: i32,
    pub position: u64,
    pub generation: u64,
}

pub async fn checkpoints(pool: &MySqlPool, topic: &str) -> Result<Vec<Checkpoint>, sqlx::Error> {
    sqlx::query_as(
        "SELECT kafka_partition, position, generation FROM projection_checkpoints
         WHERE projection = ? AND topic = ? ORDER BY kafka_partition",
    )
    .bind(Catalog::NAME)
    .bind(topic)
    .fetch_all(pool)
    .await
}

/// How many movies of the partition changed after the position.
pub async fn waiting(pool: &MySqlPool, partition: i32, after: u64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM catalog_movies WHERE kafka_partition = ? AND position > ?",
    )
    .bind(partition)
    .bind(after)
    .fetch_one(pool)
    .await
}

/// A movie's row.
#[derive(Debug)]
pub struct MovieRow {
    pub movie_id: MovieId,
    pub version: u64,
    pub position: u64,
    pub updated_at: DateTime<Utc>,
    pub removed: bool,
    pub state: Box<RawValue>,
}

/// The next rows that changed, and whether there may be more.
pub struct Chunk {
    pub rows: Vec<MovieRow>,
    pub is_last: bool,
}

/// The movies of the partition that changed after the position, in order, until there are
/// `max_rows` or `max_bytes`.
pub async fn changed_after(
    pool: &MySqlPool,
    partition: i32,
    after: u64,
    max_rows: u32,
    max_bytes: usize,
) -> Result<Chunk, sqlx::Error> {
    let mut found = sqlx::query(
        "SELECT movie_id, version, position, updated_at, removed, state FROM catalog_movies
         WHERE kafka_partition = ? AND position > ? ORDER BY position LIMIT ?",
    )
    .bind(partition)
    .bind(after)
    .bind(max_rows)
    .fetch(pool);
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(row) = found.try_next().await? {
        let row = decode(&row)?;
        bytes += row.state.get().len();
        rows.push(row);
        if bytes >= max_bytes {
            return Ok(Chunk { rows, is_last: false });
        }
    }
    let is_last = u32::try_from(rows.len()).is_ok_and(|found| found < max_rows);
    Ok(Chunk { rows, is_last })
}

fn decode(row: &MySqlRow) -> Result<MovieRow, sqlx::Error> {
    let Json(state) = row.try_get("state")?;
    Ok(MovieRow {
        movie_id: row
            .try_get_unchecked::<&str, _>("movie_id")?
            .parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
        updated_at: row.try_get("updated_at")?,
        removed: row.try_get("removed")?,
        state,
    })
}
