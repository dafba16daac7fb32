//! What has happened to each movie: who changed what, when, by which command; and what the movie was
//! at any time, which is those events folded up to then.
//!
//! Read from MySQL when it is asked for, unlike the catalog: it is large, and its readers are few.

mod as_of;
mod rows;

use chrono::{DateTime, Utc};
use marquee_domain::{MovieId, values::Slug};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::MySqlPool;
use thiserror::Error;
use utoipa::ToSchema;

use crate::mysql_read::{ReadError, in_time};

pub use as_of::{AsOf, Until};
pub use rows::STATEMENTS;

#[derive(Debug, Clone)]
pub struct History {
    pool: MySqlPool,
}

/// One change of a movie.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// 1, 2, 3, ... within the movie.
    pub version: u64,
    /// The event's place among those of all movies.
    pub position: u64,
    /// Such as `marquee.movie.MovieRetitled.v1`.
    pub event_type: String,
    /// What made the change, such as `ReviseMovie`.
    pub command: String,
    /// The user who sent the command.
    pub actor: String,
    /// The request that carried it, as in the logs.
    pub request_id: String,
    pub recorded_at: DateTime<Utc>,
    /// The event as it was recorded, without the sealed stream URL.
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
}

/// Some entries of one movie, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    #[schema(value_type = Uuid)]
    pub movie_id: MovieId,
    pub items: Vec<HistoryEntry>,
    /// `after` of the next page; null at the end.
    pub next_after: Option<u64>,
}

#[derive(Debug, Error)]
pub enum HistoryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What no event log could have led to: a bug.
    #[error("the history of movie {movie_id} is broken at version {version}: {why}")]
    Broken { movie_id: MovieId, version: u64, why: String },
}

impl HistoryError {
    /// Whether the same read may succeed later.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Read(error) => error.retryable(),
            Self::Broken { .. } => false,
        }
    }
}

impl From<sqlx::Error> for HistoryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Read(error.into())
    }
}

impl History {
    pub const fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }

    /// The movie of this id or slug, whatever became of it. An id is taken at its word.
    pub async fn resolve(&self, id_or_slug: &str) -> Result<Option<MovieId>, HistoryError> {
        if let Ok(movie_id) = id_or_slug.parse() {
            return Ok(Some(movie_id));
        }
        let Some(slug) = Slug::parse(id_or_slug) else { return Ok(None) };
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            let found = rows::movie_of_slug(&mut connection, slug.as_str()).await?;
            Ok(found.and_then(|movie_id| movie_id.parse().ok()))
        })
        .await
    }

    /// At most `limit` entries after version `after`; `None` if there is no such movie.
    pub async fn page(
        &self,
        movie_id: MovieId,
        after: u64,
        limit: u32,
    ) -> Result<Option<HistoryPage>, HistoryError> {
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            // One more tells whether there are more.
            let mut rows = rows::entries_after(&mut connection, movie_id, after, limit + 1).await?;
            if rows.is_empty() && !rows::exists(&mut connection, movie_id).await? {
                return Ok(None);
            }
            let more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            let next_after = rows.last().map(|last| last.version).filter(|_| more);
            let items = rows.iter().map(|row| entry(movie_id, row)).collect::<Result<_, _>>()?;
            Ok(Some(HistoryPage { movie_id, items, next_after }))
        })
        .await
    }

    /// The movie as it was.
    pub async fn as_of(&self, movie_id: MovieId, until: Until) -> Result<AsOf, HistoryError> {
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            as_of::fold(&mut connection, movie_id, until).await
        })
        .await
    }
}

fn entry(movie_id: MovieId, row: &rows::EntryRow) -> Result<HistoryEntry, HistoryError> {
    let payload = without_urls(row.payload()).map_err(|error| HistoryError::Broken {
        movie_id,
        version: row.version,
        why: error.to_string(),
    })?;
    Ok(HistoryEntry {
        version: row.version,
        position: row.position,
        event_type: row.event_type.to_string(),
        command: row.command.to_string(),
        actor: row.actor.to_string(),
        request_id: row.request_id.to_string(),
        recorded_at: row.recorded_at(),
        payload,
    })
}

/// Sealed or not, a stream URL is nobody's to read.
fn without_urls(payload: &str) -> Result<Map<String, Value>, serde_json::Error> {
    let mut payload: Map<String, Value> = serde_json::from_str(payload)?;
    payload.remove("sealed_url");
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// One golden file per event ever released.
    #[test]
    fn no_event_shows_a_sealed_url_and_all_else_of_it_is_shown() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden");
        let mut sealed = 0;
        for file in fs::read_dir(folder).unwrap() {
            let event = fs::read_to_string(file.unwrap().path()).unwrap();
            let mut whole: Map<String, Value> = serde_json::from_str(&event).unwrap();
            let shown = without_urls(&event).unwrap();
            assert!(!Value::from(shown.clone()).to_string().contains("c2VhbGVk"), "{shown:?}");
            sealed += usize::from(whole.remove("sealed_url").is_some());
            assert_eq!(shown, whole);
        }
        assert!(sealed > 0);
    }
}
