//! All of this service's SQL: it reads what the projector wrote, and writes nothing.

use chrono::NaiveDateTime;
use serde_json::value::RawValue;
use sqlx::{MySqlConnection, mysql::MySqlRow, prelude::FromRow, types::Json};

use crate::text::Text;

/// At most so many movies are held as rows at once.
pub(super) const CHUNK_MOVIES: u32 = 1_000;

/// Every statement, for the test that prepares them all.
pub const STATEMENTS: [&str; 8] = [
    CHECKPOINTS,
    STALE,
    MOVIES_CHANGED,
    SOURCES_CHANGED,
    CAPTIONS_CHANGED,
    MOVIES_FROM,
    SOURCES_FROM,
    CAPTIONS_FROM,
];

macro_rules! movie_columns {
    () => {
        "m.movie_id, m.title, m.slug, m.synopsis, m.genres, m.duration_minutes, \
         m.availability_start, m.availability_end, m.visibility, m.poster_url, m.created_at, \
         m.created_by, m.updated_at, m.updated_by, m.removed, m.version, m.position \
         FROM catalog_movies m "
    };
}
macro_rules! source_columns {
    () => {
        "s.stream_source_id, s.movie_id, s.stream_url, s.quality_tag, s.drm_required, \
         s.is_primary, s.last_validated_at, s.validation_status, s.facts \
         FROM catalog_stream_sources s "
    };
}
macro_rules! caption_columns {
    () => {
        "c.caption_track_id, c.movie_id, c.language_code, c.caption_url, c.format, c.is_default, \
         c.last_validated_at, c.validation_status, c.facts \
         FROM catalog_caption_tracks c "
    };
}

const CHECKPOINTS: &str = "SELECT kafka_partition, next_offset, position, generation \
     FROM projection_checkpoints WHERE projection = 'catalog' AND topic = ?";

// By an index alone, a step for each movie.
const STALE: &str = "SELECT movie_id, MIN(parked_at) AS since FROM parked_events \
     WHERE projection = 'catalog' AND topic = ? AND movie_id > '' GROUP BY movie_id";

// What changed in a partition after a position: exact, because a partition is applied in order.
const MOVIES_CHANGED: &str = concat!(
    "SELECT ",
    movie_columns!(),
    "WHERE m.kafka_partition = ? AND m.position > ? ORDER BY m.position LIMIT ?"
);
const SOURCES_CHANGED: &str = concat!(
    "SELECT ",
    source_columns!(),
    "JOIN catalog_movies m ON m.movie_id = s.movie_id \
     WHERE m.kafka_partition = ? AND m.position > ? AND m.position <= ? \
     ORDER BY s.movie_id, s.ordinal"
);
const CAPTIONS_CHANGED: &str = concat!(
    "SELECT ",
    caption_columns!(),
    "JOIN catalog_movies m ON m.movie_id = c.movie_id \
     WHERE m.kafka_partition = ? AND m.position > ? AND m.position <= ? \
     ORDER BY c.movie_id, c.ordinal"
);

// Everything, in chunks by id.
const MOVIES_FROM: &str =
    concat!("SELECT ", movie_columns!(), "WHERE m.movie_id > ? ORDER BY m.movie_id LIMIT ?");
const SOURCES_FROM: &str = concat!(
    "SELECT ",
    source_columns!(),
    "WHERE s.movie_id > ? AND s.movie_id <= ? ORDER BY s.movie_id, s.ordinal"
);
const CAPTIONS_FROM: &str = concat!(
    "SELECT ",
    caption_columns!(),
    "WHERE c.movie_id > ? AND c.movie_id <= ? ORDER BY c.movie_id, c.ordinal"
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub(super) struct Checkpoint {
    pub(super) kafka_partition: i32,
    /// Moves with every record, also with those that are parked.
    pub(super) next_offset: i64,
    pub(super) position: u64,
    pub(super) generation: u64,
}

/// A movie that has parked events.
#[derive(Debug, FromRow)]
pub(super) struct StaleRow {
    pub(super) movie_id: Text,
    pub(super) since: NaiveDateTime,
}

#[derive(Debug, FromRow)]
pub(super) struct MovieRow {
    pub(super) movie_id: Text,
    pub(super) title: Text,
    pub(super) slug: Text,
    pub(super) synopsis: Text,
    pub(super) genres: Json<Vec<String>>,
    pub(super) duration_minutes: u32,
    pub(super) availability_start: NaiveDateTime,
    pub(super) availability_end: NaiveDateTime,
    pub(super) visibility: Text,
    pub(super) poster_url: Text,
    pub(super) created_at: NaiveDateTime,
    pub(super) created_by: Text,
    pub(super) updated_at: NaiveDateTime,
    pub(super) updated_by: Text,
    pub(super) removed: bool,
    pub(super) version: u64,
    pub(super) position: u64,
}

#[derive(Debug, FromRow)]
pub(super) struct SourceRow {
    pub(super) stream_source_id: Text,
    pub(super) movie_id: Text,
    pub(super) stream_url: Text,
    pub(super) quality_tag: Option<Text>,
    pub(super) drm_required: bool,
    pub(super) is_primary: bool,
    pub(super) last_validated_at: NaiveDateTime,
    pub(super) validation_status: Text,
    pub(super) facts: Json<Box<RawValue>>,
}

#[derive(Debug, FromRow)]
pub(super) struct CaptionRow {
    pub(super) caption_track_id: Text,
    pub(super) movie_id: Text,
    pub(super) language_code: Text,
    pub(super) caption_url: Text,
    pub(super) format: Text,
    pub(super) is_default: bool,
    pub(super) last_validated_at: NaiveDateTime,
    pub(super) validation_status: Text,
    pub(super) facts: Json<Box<RawValue>>,
}

/// A movie with all that belongs to it.
#[derive(Debug)]
pub(super) struct MovieRows {
    pub(super) movie: MovieRow,
    pub(super) sources: Vec<SourceRow>,
    pub(super) captions: Vec<CaptionRow>,
}

pub(super) async fn checkpoints(
    connection: &mut MySqlConnection,
    topic: &str,
) -> Result<Vec<Checkpoint>, sqlx::Error> {
    sqlx::query_as(CHECKPOINTS).bind(topic).fetch_all(connection).await
}

pub(super) async fn stale(
    connection: &mut MySqlConnection,
    topic: &str,
) -> Result<Vec<StaleRow>, sqlx::Error> {
    sqlx::query_as(STALE).bind(topic).fetch_all(connection).await
}

/// The next movies of the partition that changed after `position`, in order; empty at the end.
pub(super) async fn changed_after(
    connection: &mut MySqlConnection,
    partition: i32,
    position: u64,
) -> Result<Vec<MovieRows>, sqlx::Error> {
    let movies: Vec<MovieRow> = sqlx::query_as(MOVIES_CHANGED)
        .bind(partition)
        .bind(position)
        .bind(CHUNK_MOVIES)
        .fetch_all(&mut *connection)
        .await?;
    let Some(last) = movies.last().map(|movie| movie.position) else { return Ok(Vec::new()) };
    let between = async |statement, connection: &mut MySqlConnection| {
        sqlx::query(statement).bind(partition).bind(position).bind(last).fetch_all(connection).await
    };
    let sources = between(SOURCES_CHANGED, &mut *connection).await?;
    let captions = between(CAPTIONS_CHANGED, connection).await?;
    assemble(movies, &sources, &captions)
}

/// The next movies by id; empty at the end.
pub(super) async fn from_id(
    connection: &mut MySqlConnection,
    after: &str,
) -> Result<Vec<MovieRows>, sqlx::Error> {
    let movies: Vec<MovieRow> = sqlx::query_as(MOVIES_FROM)
        .bind(after)
        .bind(CHUNK_MOVIES)
        .fetch_all(&mut *connection)
        .await?;
    let Some(last) = movies.last().map(|movie| movie.movie_id.clone()) else {
        return Ok(Vec::new());
    };
    let between = async |statement, connection: &mut MySqlConnection| {
        sqlx::query(statement).bind(after).bind(&*last).fetch_all(connection).await
    };
    let sources = between(SOURCES_FROM, &mut *connection).await?;
    let captions = between(CAPTIONS_FROM, connection).await?;
    assemble(movies, &sources, &captions)
}

fn assemble(
    movies: Vec<MovieRow>,
    sources: &[MySqlRow],
    captions: &[MySqlRow],
) -> Result<Vec<MovieRows>, sqlx::Error> {
    use std::collections::HashMap;

    let mut sources_of = HashMap::<Text, Vec<SourceRow>>::new();
    for row in sources {
        let source = SourceRow::from_row(row)?;
        sources_of.entry(source.movie_id.clone()).or_default().push(source);
    }
    let mut captions_of = HashMap::<Text, Vec<CaptionRow>>::new();
    for row in captions {
        let caption = CaptionRow::from_row(row)?;
        captions_of.entry(caption.movie_id.clone()).or_default().push(caption);
    }
    Ok(movies
        .into_iter()
        .map(|movie| MovieRows {
            sources: sources_of.remove(&movie.movie_id).unwrap_or_default(),
            captions: captions_of.remove(&movie.movie_id).unwrap_or_default(),
            movie,
        })
        .collect())
}
