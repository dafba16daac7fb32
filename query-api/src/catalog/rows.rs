//! All of this service's SQL: it reads what the projector wrote, and writes nothing.

use chrono::NaiveDateTime;
use serde_json::value::RawValue;
use sqlx::{
    MySql, MySqlConnection,
    mysql::{MySqlArguments, MySqlRow},
    prelude::FromRow,
    query::Query,
    types::Json,
};

use crate::text::Text;

type MySqlQuery<'q> = Query<'q, MySql, MySqlArguments>;

/// At most so many movies are held as rows at once.
pub(super) const CHUNK_MOVIES: u32 = 1_000;

/// Every statement, for the tests of them all; those of spans with one and with several.
pub fn statements() -> Vec<String> {
    let fixed = [CHECKPOINTS, STALE, MOVIES_FROM, SOURCES_FROM, CAPTIONS_FROM];
    let of_spans = [MOVIES_CHANGED, SOURCES_CHANGED, CAPTIONS_CHANGED];
    let with_spans = |spans| of_spans.map(|statement| with_spans(statement, spans));
    fixed.map(str::to_owned).into_iter().chain(with_spans(1)).chain(with_spans(8)).collect()
}

macro_rules! movie_columns {
    () => {
        "m.movie_id, m.title, m.slug, m.synopsis, m.genres, m.duration_minutes, \
         m.availability_start, m.availability_end, m.visibility, m.poster_url, m.created_at, \
         m.created_by, m.updated_at, m.updated_by, m.removed, m.version, m.position, \
         m.kafka_partition \
         FROM catalog_movies m "
    };
}
macro_rules! source_columns {
    () => {
        "s.stream_source_id, s.movie_id, s.stream_url, s.quality_tag, s.drm_required, \
         s.is_primary, s.last_validated_at, s.validation_status, s.facts "
    };
}
macro_rules! caption_columns {
    () => {
        "c.caption_track_id, c.movie_id, c.language_code, c.caption_url, c.format, c.is_default, \
         c.last_validated_at, c.validation_status, c.facts "
    };
}

const CHECKPOINTS: &str = "SELECT kafka_partition, next_offset, position, generation \
     FROM projection_checkpoints WHERE projection = 'catalog' AND topic = ?";

// By an index alone, a step for each movie.
const STALE: &str = "SELECT movie_id, MIN(parked_at) AS since FROM parked_events \
     WHERE projection = 'catalog' AND topic = ? AND movie_id > '' GROUP BY movie_id";

// What changed in some partitions between two positions: exact, because a partition is applied in order.
// A statement has as many such spans as partitions have moved. The movies come first in the joins
// (STRAIGHT_JOIN): MySQL would rather walk all children, in the order that is asked for.
const SPAN: &str = "(m.kafka_partition = ? AND m.position > ? AND m.position <= ?)";
const MOVIES_CHANGED: &str = concat!(
    "SELECT ",
    movie_columns!(),
    "WHERE {spans} \
     ORDER BY m.kafka_partition, m.position LIMIT ?"
);
const SOURCES_CHANGED: &str = concat!(
    "SELECT ",
    source_columns!(),
    "FROM catalog_movies m STRAIGHT_JOIN catalog_stream_sources s ON s.movie_id = m.movie_id \
     WHERE {spans} ORDER BY s.movie_id, s.ordinal"
);
const CAPTIONS_CHANGED: &str = concat!(
    "SELECT ",
    caption_columns!(),
    "FROM catalog_movies m STRAIGHT_JOIN catalog_caption_tracks c ON c.movie_id = m.movie_id \
     WHERE {spans} ORDER BY c.movie_id, c.ordinal"
);

// Everything, in chunks by id.
const MOVIES_FROM: &str =
    concat!("SELECT ", movie_columns!(), "WHERE m.movie_id > ? ORDER BY m.movie_id LIMIT ?");
const SOURCES_FROM: &str = concat!(
    "SELECT ",
    source_columns!(),
    "FROM catalog_stream_sources s WHERE s.movie_id > ? AND s.movie_id <= ? ORDER BY s.movie_id, s.ordinal"
);
const CAPTIONS_FROM: &str = concat!(
    "SELECT ",
    caption_columns!(),
    "FROM catalog_caption_tracks c WHERE c.movie_id > ? AND c.movie_id <= ? ORDER BY c.movie_id, c.ordinal"
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
    pub(super) kafka_partition: i32,
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

/// A partition's rows after one position, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) partition: i32,
    pub(super) after: u64,
    pub(super) to: u64,
}

/// The first of the movies that changed in the spans, which must be in order of their partitions, and
/// the spans of the movies that are left.
pub(super) async fn changed_in(
    connection: &mut MySqlConnection,
    spans: &[Span],
) -> Result<(Vec<MovieRows>, Vec<Span>), sqlx::Error> {
    let statement = with_spans(MOVIES_CHANGED, spans.len());
    let movies: Vec<MovieRow> = bind(sqlx::query(&statement), spans)
        .bind(CHUNK_MOVIES)
        .try_map(|row| MovieRow::from_row(&row))
        .fetch_all(&mut *connection)
        .await?;
    let full = movies.len() == CHUNK_MOVIES as usize;
    let Some(last) =
        movies.last().filter(|_| full).map(|last| (last.kafka_partition, last.position))
    else {
        let movies = with_children(connection, movies, spans).await?;
        return Ok((movies, Vec::new()));
    };
    let (partition, position) = last;
    let read = spans.iter().filter(|span| span.partition <= partition).map(|span| match span {
        span if span.partition == partition => Span { to: position, ..*span },
        span => *span,
    });
    let left = spans.iter().filter(|span| span.partition >= partition).map(|span| match span {
        span if span.partition == partition => Span { after: position, ..*span },
        span => *span,
    });
    let movies = with_children(connection, movies, &read.collect::<Vec<_>>()).await?;
    Ok((movies, left.collect()))
}

async fn with_children(
    connection: &mut MySqlConnection,
    movies: Vec<MovieRow>,
    spans: &[Span],
) -> Result<Vec<MovieRows>, sqlx::Error> {
    if movies.is_empty() {
        return Ok(Vec::new());
    }
    let children = async |statement, connection: &mut MySqlConnection| {
        let statement = with_spans(statement, spans.len());
        bind(sqlx::query(&statement), spans).fetch_all(connection).await
    };
    let sources = children(SOURCES_CHANGED, &mut *connection).await?;
    let captions = children(CAPTIONS_CHANGED, connection).await?;
    assemble(movies, &sources, &captions)
}

fn with_spans(statement: &str, spans: usize) -> String {
    statement.replace("{spans}", &vec![SPAN; spans].join(" OR "))
}

fn bind<'q>(mut query: MySqlQuery<'q>, spans: &[Span]) -> MySqlQuery<'q> {
    for span in spans {
        query = query.bind(span.partition).bind(span.after).bind(span.to);
    }
    query
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
