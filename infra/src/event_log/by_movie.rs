//! Reading a part of the log movie by movie: each movie's events after each other, however far apart
//! they are in the log.

use marquee_domain::MovieId;

use super::{
    EventLogError, EventReader, RecordedEvent,
    reader::{COLUMNS, decode_all},
};

/// An event, by its place in its movie's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovieCursor {
    pub movie_id: MovieId,
    pub sequence: u64,
}

impl EventReader {
    /// At most `limit` of the events up to position `up_to`, in the order of the movies' ids, and of
    /// each movie in order; those behind the cursor. Fewer than `limit`: there are no more.
    ///
    /// Whoever has read all of them and not found `up_to` events knows that some are missing.
    pub async fn read_by_movie(
        &self,
        after: Option<MovieCursor>,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, EventLogError> {
        let mut connection = self.acquire().await?;
        let (movie_id, sequence) = match after {
            Some(cursor) => (cursor.movie_id.to_string(), cursor.sequence),
            // No id is before it.
            None => (String::new(), 0),
        };
        // Without the hint, MySQL may rather walk along the positions and sort what it finds.
        let sql = format!(
            "SELECT {COLUMNS} FROM events FORCE INDEX (events_by_aggregate) \
             WHERE aggregate_type = 'movie' \
             AND (aggregate_id > ? OR (aggregate_id = ? AND sequence > ?)) \
             AND position <= ? ORDER BY aggregate_id, sequence LIMIT ?"
        );
        let rows = sqlx::query(&sql)
            .bind(&movie_id)
            .bind(&movie_id)
            .bind(sequence)
            .bind(up_to)
            .bind(limit)
            .fetch_all(&mut *connection)
            .await?;
        decode_all(&rows)
    }
}
