//! Reading the log in order.

use std::{collections::HashMap, num::TryFromIntError, sync::Arc};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use serde_json::value::RawValue;
use sqlx::{Executor, MySql, MySqlPool, Row, mysql::MySqlRow, pool::PoolConnection, types::Json};

use super::EventLogError;

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct RecordedEvent {
    /// 1, 2, 3, ... in commit order over all movies, without a gap.
    pub position: u64,
    pub movie_id: MovieId,
    /// 1, 2, 3, ... within the movie.
    pub sequence: u64,
    pub event_type: String,
    pub event_version: String,
    /// The JSON as MySQL gives it back: equal in meaning to what was written, not in bytes.
    pub payload: Box<RawValue>,
    pub metadata: HashMap<String, String>,
    pub recorded_at: DateTime<Utc>,
}

/// Reads the log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventReader {
    pool: MySqlPool,
}

/// What `decode` reads.
pub(super) const COLUMNS: &str = "position, aggregate_id, sequence, event_type, event_version, \
     payload, metadata, recorded_at";

const READ_AFTER: &str = "SELECT position, aggregate_id, sequence, event_type, event_version, \
     payload, metadata, recorded_at FROM events WHERE position > ? ORDER BY position LIMIT ?";

const READ_MOVIE: &str = "SELECT position, aggregate_id, sequence, event_type, event_version, \
     payload, metadata, recorded_at FROM events \
     WHERE aggregate_type = 'movie' AND aggregate_id = ? AND sequence >= ? \
     ORDER BY sequence LIMIT ?";

const READ_HEAD: &str = "SELECT position FROM event_log_head WHERE id = 1";

impl EventReader {
    pub const fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }

    /// At most `limit` events after `position`, in order. A hole among them is an error.
    pub async fn read_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, EventLogError> {
        let rows = sqlx::query(READ_AFTER).bind(position).bind(limit).fetch_all(&self.pool).await?;
        let events = decode_all(&rows)?;
        check_contiguous(position + 1, events.iter().map(|event| event.position))?;
        Ok(events)
    }

    /// At most `limit` events of one movie, the first of them number `from_sequence` (from 1).
    pub async fn read_movie(
        &self,
        id: MovieId,
        from_sequence: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, EventLogError> {
        let rows = sqlx::query(READ_MOVIE)
            .bind(id.to_string())
            .bind(from_sequence)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        let events = decode_all(&rows)?;
        check_contiguous(from_sequence.max(1), events.iter().map(|event| event.sequence))?;
        Ok(events)
    }

    /// The position of the last event; 0 when there is none.
    pub async fn head(&self) -> Result<u64, EventLogError> {
        Ok(head(&self.pool).await?)
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<MySql>, EventLogError> {
        Ok(self.pool.acquire().await?)
    }
}

pub(super) async fn head<'c>(
    executor: impl Executor<'c, Database = MySql>,
) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar(READ_HEAD).fetch_one(executor).await
}

pub(super) fn decode_all(rows: &[MySqlRow]) -> Result<Vec<RecordedEvent>, EventLogError> {
    rows.iter().map(decode).collect()
}

fn decode(row: &MySqlRow) -> Result<RecordedEvent, EventLogError> {
    let Json(payload) = row.try_get("payload")?;
    let Json(metadata) = row.try_get("metadata")?;
    Ok(RecordedEvent {
        position: row.try_get("position")?,
        movie_id: row
            .try_get::<String, _>("aggregate_id")?
            .parse()
            .map_err(|error: uuid::Error| EventLogError::Undecodable(Arc::new(error)))?,
        // mysql-es reads it as a signed number, so the column is one.
        sequence: row
            .try_get::<i64, _>("sequence")?
            .try_into()
            .map_err(|error: TryFromIntError| EventLogError::Undecodable(Arc::new(error)))?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        payload,
        metadata,
        recorded_at: row.try_get("recorded_at")?,
    })
}

pub(super) fn check_contiguous(
    first: u64,
    numbers: impl Iterator<Item = u64>,
) -> Result<(), EventLogError> {
    for (expected, found) in (first..).zip(numbers) {
        if expected != found {
            return Err(EventLogError::Corrupt { expected, found });
        }
    }
    Ok(())
}
