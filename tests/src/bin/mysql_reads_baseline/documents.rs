//! Movies as viewers get them, from the projector's tables.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{MySqlPool, Row, mysql::MySqlRow, types::Json};

/// What a viewer may see now: with a playable primary source, in its window.
macro_rules! seen {
    () => {
        "FROM catalog_movies m JOIN catalog_stream_sources p \
           ON p.movie_id = m.movie_id AND p.is_primary AND p.validation_status = 'VALID' \
         WHERE NOT m.removed AND m.visibility = 'VISIBLE' \
           AND m.availability_start <= ? AND m.availability_end > ? "
    };
}
macro_rules! columns {
    () => {
        "SELECT m.movie_id, m.title, m.slug, m.synopsis, m.genres, m.duration_minutes, \
         m.availability_start, m.availability_end, m.poster_url, m.version, m.position "
    };
}

const LIST: &str = concat!(columns!(), seen!(), "ORDER BY m.title, m.movie_id LIMIT ?");
const TOTAL: &str = concat!("SELECT COUNT(*) ", seen!());
const ONE: &str = concat!(columns!(), seen!(), "AND m.slug = ?");
const SOURCES: &str = "SELECT movie_id, stream_source_id, quality_tag, drm_required, is_primary, \
     last_validated_at, validation_status FROM catalog_stream_sources WHERE movie_id IN ";
const CAPTIONS: &str = "SELECT movie_id, caption_track_id, language_code, caption_url, format, \
     is_default, last_validated_at, validation_status FROM catalog_caption_tracks WHERE movie_id IN ";

#[derive(Serialize)]
pub struct Page {
    items: Vec<Movie>,
    total: i64,
}

impl Page {
    pub async fn read(
        pool: &MySqlPool,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query(LIST).bind(now).bind(now).bind(limit).fetch_all(pool).await?;
        let total = sqlx::query_scalar(TOTAL).bind(now).bind(now).fetch_one(pool).await?;
        Ok(Self { items: with_children(pool, &rows).await?, total })
    }
}

#[derive(Serialize)]
pub struct Movie(Value);

impl Movie {
    pub async fn read(
        pool: &MySqlPool,
        now: DateTime<Utc>,
        slug: &str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let rows = sqlx::query(ONE).bind(now).bind(now).bind(slug).fetch_all(pool).await?;
        Ok(with_children(pool, &rows).await?.pop())
    }
}

async fn with_children(pool: &MySqlPool, rows: &[MySqlRow]) -> Result<Vec<Movie>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> =
        rows.iter().map(|row| row.try_get_unchecked("movie_id")).collect::<Result<_, _>>()?;
    let sources = children(pool, SOURCES, &ids).await?;
    let captions = children(pool, CAPTIONS, &ids).await?;
    rows.iter().zip(&ids).map(|(row, id)| movie(row, id, &sources, &captions)).collect()
}

async fn children(
    pool: &MySqlPool,
    select: &str,
    ids: &[&str],
) -> Result<Vec<MySqlRow>, sqlx::Error> {
    let places = vec!["?"; ids.len()].join(", ");
    let statement = format!("{select}({places}) ORDER BY movie_id, ordinal");
    ids.iter().fold(sqlx::query(&statement), |query, id| query.bind(*id)).fetch_all(pool).await
}

fn movie(
    row: &MySqlRow,
    id: &str,
    sources: &[MySqlRow],
    captions: &[MySqlRow],
) -> Result<Movie, sqlx::Error> {
    let Json(genres): Json<Value> = row.try_get("genres")?;
    Ok(Movie(json!({
        "movie_id": id,
        "title": text(row, "title")?,
        "slug": text(row, "slug")?,
        "synopsis": text(row, "synopsis")?,
        "genres": genres,
        "duration_minutes": row.try_get::<u32, _>("duration_minutes")?,
        "availability_start": instant(row, "availability_start")?,
        "availability_end": instant(row, "availability_end")?,
        "poster_url": text(row, "poster_url")?,
        "version": row.try_get::<u64, _>("version")?,
        "position": row.try_get::<u64, _>("position")?,
        "stream_sources": of(id, sources)?.map(source).collect::<Result<Vec<_>, _>>()?,
        "caption_tracks": of(id, captions)?.map(caption).collect::<Result<Vec<_>, _>>()?,
    })))
}

fn of<'a>(
    id: &str,
    rows: &'a [MySqlRow],
) -> Result<impl Iterator<Item = &'a MySqlRow> + use<'a>, sqlx::Error> {
    let ids: Vec<&str> =
        rows.iter().map(|row| row.try_get_unchecked("movie_id")).collect::<Result<_, _>>()?;
    let mine: Vec<bool> = ids.iter().map(|other| *other == id).collect();
    Ok(rows.iter().zip(mine).filter_map(|(row, mine)| mine.then_some(row)))
}

fn source(row: &MySqlRow) -> Result<Value, sqlx::Error> {
    Ok(json!({
        "stream_source_id": text(row, "stream_source_id")?,
        "quality_tag": row.try_get_unchecked::<Option<&str>, _>("quality_tag")?,
        "drm_required": row.try_get::<bool, _>("drm_required")?,
        "primary": row.try_get::<bool, _>("is_primary")?,
        "last_validated_at": instant(row, "last_validated_at")?,
        "validation_status": text(row, "validation_status")?,
    }))
}

fn caption(row: &MySqlRow) -> Result<Value, sqlx::Error> {
    Ok(json!({
        "caption_track_id": text(row, "caption_track_id")?,
        "language_code": text(row, "language_code")?,
        "caption_url": text(row, "caption_url")?,
        "format": text(row, "format")?,
        "is_default": row.try_get::<bool, _>("is_default")?,
        "last_validated_at": instant(row, "last_validated_at")?,
        "validation_status": text(row, "validation_status")?,
    }))
}

/// Columns of a binary collation are bytes to sqlx.
fn text<'a>(row: &'a MySqlRow, column: &str) -> Result<&'a str, sqlx::Error> {
    row.try_get_unchecked(column)
}

fn instant(row: &MySqlRow, column: &str) -> Result<DateTime<Utc>, sqlx::Error> {
    Ok(row.try_get::<NaiveDateTime, _>(column)?.and_utc())
}
