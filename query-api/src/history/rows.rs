//! The SQL of the history: it reads what the projector wrote, and writes nothing.

use chrono::{DateTime, NaiveDateTime, Utc};
use marquee_domain::MovieId;
use serde_json::value::RawValue;
use sqlx::{MySqlConnection, prelude::FromRow, types::Json};

use crate::text::Text;

/// Every statement, for the test that prepares them all.
pub const STATEMENTS: [&str; 3] = [ENTRIES_AFTER, FIRST_ENTRY, MOVIE_OF_SLUG];

const ENTRIES_AFTER: &str = "SELECT version, position, event_type, command, actor, request_id, \
     recorded_at, payload FROM movie_history \
     WHERE movie_id = ? AND version > ? ORDER BY version LIMIT ?";

const FIRST_ENTRY: &str = "SELECT EXISTS (SELECT 1 FROM movie_history WHERE movie_id = ?)";

// Removed movies keep their rows, and slugs are never given away again.
const MOVIE_OF_SLUG: &str = "SELECT movie_id FROM catalog_movies WHERE slug = ?";

#[derive(Debug, FromRow)]
pub(super) struct EntryRow {
    pub(super) version: u64,
    pub(super) position: u64,
    pub(super) event_type: Text,
    pub(super) command: Text,
    pub(super) actor: Text,
    pub(super) request_id: Text,
    recorded_at: NaiveDateTime,
    payload: Json<Box<RawValue>>,
}

impl EntryRow {
    pub(super) const fn recorded_at(&self) -> DateTime<Utc> {
        self.recorded_at.and_utc()
    }

    pub(super) fn payload(&self) -> &str {
        self.payload.get()
    }
}

/// At most `limit` entries after `version`, in order.
pub(super) async fn entries_after(
    connection: &mut MySqlConnection,
    movie_id: MovieId,
    version: u64,
    limit: u32,
) -> Result<Vec<EntryRow>, sqlx::Error> {
    sqlx::query_as(ENTRIES_AFTER)
        .bind(movie_id.to_string())
        .bind(version)
        .bind(limit)
        .fetch_all(connection)
        .await
}

pub(super) async fn exists(
    connection: &mut MySqlConnection,
    movie_id: MovieId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(FIRST_ENTRY).bind(movie_id.to_string()).fetch_one(connection).await
}

/// Only for slugs of the right form: what is not ASCII could not be compared with the column.
pub(super) async fn movie_of_slug(
    connection: &mut MySqlConnection,
    slug: &str,
) -> Result<Option<Text>, sqlx::Error> {
    sqlx::query_scalar(MOVIE_OF_SLUG).bind(slug).fetch_optional(connection).await
}
