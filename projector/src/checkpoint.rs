//! How far a projection has come in a partition. It moves in the transaction that writes the rows,
//! by compare-and-set: a worker that no longer owns the partition changes nothing.

use std::fmt;

use marquee_infra::clock;
use sqlx::{MySqlConnection, MySqlPool};

use crate::{failure::Failure, projection::Applied};

/// Whose progress.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub projection: &'static str,
    pub topic: String,
    pub partition: i32,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}[{}]", self.projection, self.topic, self.partition)
    }
}

/// The offset to read next. The first to ask makes the row.
pub async fn open(pool: &MySqlPool, lane: &Lane) -> Result<i64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    if let Some(offset) = read(&mut connection, lane).await? {
        return Ok(offset);
    }
    sqlx::query(
        "INSERT INTO projection_checkpoints
             (projection, topic, kafka_partition, next_offset, position, updated_at)
         VALUES (?, ?, ?, 0, 0, ?) ON DUPLICATE KEY UPDATE projection = projection",
    )
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .bind(clock::now())
    .execute(&mut *connection)
    .await?;
    read(&mut connection, lane).await?.ok_or(sqlx::Error::RowNotFound)
}

async fn read(connection: &mut MySqlConnection, lane: &Lane) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT next_offset FROM projection_checkpoints
         WHERE projection = ? AND topic = ? AND kafka_partition = ?",
    )
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .fetch_optional(connection)
    .await
}

/// The highest event position applied; 0 when there is no row.
pub async fn position(tx: &mut MySqlConnection, lane: &Lane) -> Result<u64, Failure> {
    let found: Option<u64> = sqlx::query_scalar(
        "SELECT position FROM projection_checkpoints
         WHERE projection = ? AND topic = ? AND kafka_partition = ?",
    )
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .fetch_optional(tx)
    .await?;
    Ok(found.unwrap_or(0))
}

/// How many partitions the lane's topic has; none if some of them were never begun with.
pub async fn partitions(tx: &mut MySqlConnection, lane: &Lane) -> Result<Option<i32>, Failure> {
    let (found, highest): (i64, i32) = sqlx::query_as(
        "SELECT COUNT(*), COALESCE(MAX(kafka_partition), -1) FROM projection_checkpoints
         WHERE projection = ? AND topic = ?",
    )
    .bind(lane.projection)
    .bind(&lane.topic)
    .fetch_one(tx)
    .await?;
    Ok((found > 0 && found == i64::from(highest) + 1).then_some(highest + 1))
}

/// Makes this transaction the partition's only writer, if the checkpoint is where it is expected.
pub async fn lock(tx: &mut MySqlConnection, lane: &Lane, expected: i64) -> Result<(), Failure> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT next_offset FROM projection_checkpoints
         WHERE projection = ? AND topic = ? AND kafka_partition = ? FOR UPDATE",
    )
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .fetch_optional(tx)
    .await?;
    if found == Some(expected) { Ok(()) } else { Err(Failure::Superseded { expected, found }) }
}

/// Moves the checkpoint from one offset to another, and its position forward only. The generation
/// rises when rows were written at a position that the checkpoint had passed: an event that came
/// late, after those behind it.
pub async fn advance(
    tx: &mut MySqlConnection,
    lane: &Lane,
    from: i64,
    to: i64,
    applied: &Applied,
) -> Result<(), Failure> {
    let moved = sqlx::query(
        "UPDATE projection_checkpoints
         SET next_offset = ?, generation = generation + (? <= position),
             position = GREATEST(position, ?), updated_at = ?
         WHERE projection = ? AND topic = ? AND kafka_partition = ? AND next_offset = ?",
    )
    .bind(to)
    .bind(applied.lowest_written.unwrap_or(u64::MAX))
    .bind(applied.position)
    .bind(clock::now())
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .bind(from)
    .execute(tx)
    .await?
    .rows_affected();
    if moved == 1 { Ok(()) } else { Err(Failure::Superseded { expected: from, found: None }) }
}

/// Makes this transaction the partition's only writer, in order to change rows out of position
/// order. Whoever follows the rows by position learns of it by the generation.
pub async fn begin_repair(tx: &mut MySqlConnection, lane: &Lane) -> Result<(), Failure> {
    let locked = sqlx::query(
        "UPDATE projection_checkpoints SET generation = generation + 1
         WHERE projection = ? AND topic = ? AND kafka_partition = ?",
    )
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .execute(tx)
    .await?
    .rows_affected();
    if locked == 1 { Ok(()) } else { Err(Failure::Superseded { expected: 0, found: None }) }
}

/// Raises the position to that of rows which this transaction has written ahead of Kafka. Those
/// behind it that are still to come raise the generation.
pub async fn raise(tx: &mut MySqlConnection, lane: &Lane, position: u64) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE projection_checkpoints SET position = GREATEST(position, ?)
         WHERE projection = ? AND topic = ? AND kafka_partition = ?",
    )
    .bind(position)
    .bind(lane.projection)
    .bind(&lane.topic)
    .bind(lane.partition)
    .execute(tx)
    .await?;
    Ok(())
}
