//! Looking at the log without trusting it, for an audit: here a hole is a finding, not an error.

use marquee_domain::MovieId;
use sqlx::MySqlPool;

use super::{
    EventLogError, RecordedEvent,
    reader::{COLUMNS, decode_all},
};

/// Where the log says that it ends, and where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub head: u64,
    /// The highest position of an event; 0 when there is none.
    pub last: u64,
}

/// Reads whatever is there. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogInspector {
    pool: MySqlPool,
}

impl LogInspector {
    pub const fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }

    pub async fn ends(&self) -> Result<Ends, EventLogError> {
        // One statement, so that both are of one moment.
        let (head, last) = sqlx::query_as(
            "SELECT position, (SELECT CAST(COALESCE(MAX(position), 0) AS UNSIGNED) FROM events)
             FROM event_log_head WHERE id = 1",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Ends { head, last })
    }

    /// The positions that there are, of those after `after` up to `up_to`; at most `limit`.
    pub async fn positions(
        &self,
        after: u64,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<u64>, EventLogError> {
        let sql = "SELECT position FROM events WHERE position > ? AND position <= ?
                   ORDER BY position LIMIT ?";
        Ok(sqlx::query_scalar(sql)
            .bind(after)
            .bind(up_to)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The events at these positions, as far as there are any, in order.
    pub async fn at(&self, positions: &[u64]) -> Result<Vec<RecordedEvent>, EventLogError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        // The last is repeated until their number is a power of two: few statements to prepare.
        let width = positions.len().next_power_of_two();
        let placeholders = vec!["?"; width].join(", ");
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE position IN ({placeholders}) ORDER BY position"
        );
        let padding = positions.iter().rev().cycle().take(width - positions.len());
        let query =
            positions.iter().chain(padding).fold(sqlx::query(&sql), sqlx::query::Query::bind);
        decode_all(&query.fetch_all(&self.pool).await?)
    }

    /// Events movie by movie, each movie's in order: those behind (`after`, sequence), of movies up to
    /// `up_to`, a text that no id is behind or the last movie's id; at most `limit`.
    pub async fn by_movie(
        &self,
        after: &str,
        sequence: u64,
        up_to: &str,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, EventLogError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events FORCE INDEX (events_by_aggregate)
             WHERE aggregate_type = 'movie' AND aggregate_id <= ?
                 AND (aggregate_id > ? OR (aggregate_id = ? AND sequence > ?))
             ORDER BY aggregate_id, sequence LIMIT ?"
        );
        let rows = sqlx::query(&sql)
            .bind(up_to)
            .bind(after)
            .bind(after)
            .bind(sequence)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        decode_all(&rows)
    }

    /// The highest sequence of the movie's events up to a position; 0 when it has none.
    pub async fn version_at(&self, movie_id: MovieId, position: u64) -> Result<u64, EventLogError> {
        let sql = "SELECT CAST(COALESCE(MAX(sequence), 0) AS UNSIGNED) FROM events
                   WHERE aggregate_type = 'movie' AND aggregate_id = ? AND position <= ?";
        Ok(sqlx::query_scalar(sql)
            .bind(movie_id.to_string())
            .bind(position)
            .fetch_one(&self.pool)
            .await?)
    }
}
