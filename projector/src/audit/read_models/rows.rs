//! What is in the catalog's tables, a page of movies at a time, all of a page from one moment.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, SecondsFormat, Utc};
use marquee_domain::MovieId;
use serde_json::{Value, json, value::RawValue};
use sqlx::{Connection, MySqlConnection, MySqlTransaction, Row, mysql::MySqlRow, types::Json};

use crate::{catalog::Catalog, catalog_topic::Checkpoint, projection::Projection};

/// Few, because a movie with two hundred captions is large.
const PAGE_MOVIES: u32 = 200;
const PAGE_ENTRIES: u32 = 1_000;
/// No id is behind it.
const END: &str = "~";

/// A row's columns by their names, the lists of its children among them.
pub type Columns = BTreeMap<&'static str, Value>;

#[derive(Debug)]
pub struct MovieRow {
    pub version: u64,
    pub position: u64,
    pub partition: i32,
    pub removed: bool,
    pub state: Box<RawValue>,
    pub columns: Columns,
}

/// The movies behind one id up to another, and a connection that sees the tables as they were.
pub struct Page<'c> {
    /// The movies of this page are up to here.
    pub up_to: String,
    pub is_last: bool,
    pub checkpoints: HashMap<i32, Checkpoint>,
    pub rows: BTreeMap<MovieId, MovieRow>,
    /// Those that have parked records.
    pub parked: HashSet<MovieId>,
    /// Rows of children whose movie has none.
    pub orphans: Vec<String>,
    view: MySqlTransaction<'c>,
}

impl<'c> Page<'c> {
    pub async fn read(
        connection: &'c mut MySqlConnection,
        topic: &str,
        after: &str,
    ) -> Result<Self, sqlx::Error> {
        Self::read_up_to(connection, topic, after, PAGE_MOVIES).await
    }

    /// One movie, if it has a row.
    pub async fn of(
        connection: &'c mut MySqlConnection,
        topic: &str,
        movie_id: MovieId,
    ) -> Result<Self, sqlx::Error> {
        // Right before it: ids are of one length.
        let mut before = movie_id.to_string();
        let last = before.pop().unwrap_or_default();
        before.extend([char::from(u8::try_from(last).unwrap_or_default() - 1), '~']);
        Self::read_up_to(connection, topic, &before, 1).await
    }

    async fn read_up_to(
        connection: &'c mut MySqlConnection,
        topic: &str,
        after: &str,
        max_movies: u32,
    ) -> Result<Self, sqlx::Error> {
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(&mut *connection)
            .await?;
        let mut view = connection.begin_with("START TRANSACTION READ ONLY").await?;
        // The first read, and the moment that the page is of: whoever swaps the tables waits for it.
        let checkpoints = checkpoints(&mut view, topic).await?;
        let found = sqlx::query(
            "SELECT * FROM catalog_movies WHERE movie_id > ? ORDER BY movie_id LIMIT ?",
        )
        .bind(after)
        .bind(max_movies)
        .fetch_all(&mut *view)
        .await?;
        let is_last = found.len() < max_movies as usize;
        let last = found.last().map(|row| text(row, "movie_id")).transpose()?;
        let up_to = if is_last { END.to_owned() } else { last.unwrap_or_else(|| END.to_owned()) };
        let mut rows = BTreeMap::new();
        for row in &found {
            rows.insert(movie_id(row)?, movie_row(row)?);
        }
        let range = [after, &up_to];
        let mut orphans = Vec::new();
        // With few rows, or figures that are out of date, MySQL may rather read a table as a whole, for
        // every page.
        for (table, index, child) in [
            ("catalog_genres", "PRIMARY", genre as fn(&MySqlRow) -> _),
            ("catalog_stream_sources", "catalog_stream_sources_by_movie", source),
            ("catalog_caption_tracks", "catalog_caption_tracks_by_movie", caption),
        ] {
            let sql = format!(
                "SELECT * FROM {table} FORCE INDEX ({index}) WHERE movie_id > ? AND movie_id <= ?
                 ORDER BY movie_id, ordinal"
            );
            let children = sqlx::query(&sql).bind(range[0]).bind(range[1]);
            for row in children.fetch_all(&mut *view).await? {
                let movie_id = movie_id(&row)?;
                let Some(movie) = rows.get_mut(&movie_id) else {
                    orphans.push(format!("{table}: movie {movie_id}"));
                    continue;
                };
                if let Some(Value::Array(list)) = movie.columns.get_mut(table) {
                    list.push(child(&row)?);
                }
            }
        }
        let parked: Vec<MySqlRow> = sqlx::query(
            "SELECT DISTINCT movie_id FROM parked_events
             WHERE projection = ? AND movie_id > ? AND movie_id <= ?",
        )
        .bind(Catalog::NAME)
        .bind(range[0])
        .bind(range[1])
        .fetch_all(&mut *view)
        .await?;
        let parked = parked.iter().map(movie_id).collect::<Result<_, _>>()?;
        Ok(Self { up_to, is_last, checkpoints, rows, parked, orphans, view })
    }

    /// The entries of these movies' histories behind one, as they were when the page was read.
    pub async fn history(
        &mut self,
        after: &str,
        version: u64,
    ) -> Result<VecDeque<HistoryEntry>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT * FROM movie_history FORCE INDEX (PRIMARY)
             WHERE movie_id <= ? AND (movie_id > ? OR (movie_id = ? AND version > ?))
             ORDER BY movie_id, version LIMIT ?",
        )
        .bind(&self.up_to)
        .bind(after)
        .bind(after)
        .bind(version)
        .bind(PAGE_ENTRIES)
        .fetch_all(&mut *self.view)
        .await?;
        rows.iter().map(history_entry).collect()
    }

    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.view.rollback().await
    }
}

#[derive(Debug)]
pub struct HistoryEntry {
    pub movie_id: MovieId,
    pub version: u64,
    pub position: u64,
    pub columns: Columns,
}

async fn checkpoints(
    view: &mut MySqlConnection,
    topic: &str,
) -> Result<HashMap<i32, Checkpoint>, sqlx::Error> {
    let found: Vec<Checkpoint> = sqlx::query_as(
        "SELECT kafka_partition, position, generation FROM projection_checkpoints
         WHERE projection = ? AND topic = ?",
    )
    .bind(Catalog::NAME)
    .bind(topic)
    .fetch_all(view)
    .await?;
    Ok(found.into_iter().map(|one| (one.kafka_partition, one)).collect())
}

fn movie_row(row: &MySqlRow) -> Result<MovieRow, sqlx::Error> {
    let mut columns = Columns::new();
    for name in
        ["title", "slug", "synopsis", "visibility", "poster_url", "created_by", "updated_by"]
    {
        columns.insert(name, json!(text(row, name)?));
    }
    for name in ["availability_start", "availability_end", "created_at", "updated_at"] {
        columns.insert(name, json!(instant(row.try_get(name)?)));
    }
    columns.insert("genres", json_of(row, "genres")?);
    columns.insert("duration_minutes", json!(row.try_get::<u32, _>("duration_minutes")?));
    columns.insert("removed", json!(row.try_get::<bool, _>("removed")?));
    columns.insert("position", json!(row.try_get::<u64, _>("position")?));
    columns.insert("kafka_partition", json!(row.try_get::<i32, _>("kafka_partition")?));
    for children in ["catalog_genres", "catalog_stream_sources", "catalog_caption_tracks"] {
        columns.insert(children, json!([]));
    }
    let Json(state) = row.try_get("state")?;
    Ok(MovieRow {
        version: row.try_get("version")?,
        position: row.try_get("position")?,
        partition: row.try_get("kafka_partition")?,
        removed: row.try_get("removed")?,
        state,
        columns,
    })
}

fn genre(row: &MySqlRow) -> Result<Value, sqlx::Error> {
    Ok(json!([row.try_get::<u32, _>("ordinal")?, text(row, "genre")?]))
}

fn source(row: &MySqlRow) -> Result<Value, sqlx::Error> {
    Ok(json!([
        row.try_get::<u32, _>("ordinal")?,
        text(row, "stream_source_id")?,
        text(row, "stream_url")?,
        row.try_get_unchecked::<Option<String>, _>("quality_tag")?,
        row.try_get::<bool, _>("drm_required")?,
        row.try_get::<bool, _>("is_primary")?,
        instant(row.try_get("last_validated_at")?),
        text(row, "validation_status")?,
        json_of(row, "facts")?,
    ]))
}

fn caption(row: &MySqlRow) -> Result<Value, sqlx::Error> {
    Ok(json!([
        row.try_get::<u32, _>("ordinal")?,
        text(row, "caption_track_id")?,
        text(row, "language_code")?,
        text(row, "caption_url")?,
        text(row, "format")?,
        row.try_get::<bool, _>("is_default")?,
        instant(row.try_get("last_validated_at")?),
        text(row, "validation_status")?,
        json_of(row, "facts")?,
    ]))
}

fn history_entry(row: &MySqlRow) -> Result<HistoryEntry, sqlx::Error> {
    let mut columns = Columns::new();
    for name in ["event_type", "command", "actor", "request_id"] {
        columns.insert(name, json!(text(row, name)?));
    }
    columns.insert("position", json!(row.try_get::<u64, _>("position")?));
    columns.insert("recorded_at", json!(instant(row.try_get("recorded_at")?)));
    columns.insert("payload", json_of(row, "payload")?);
    Ok(HistoryEntry {
        movie_id: movie_id(row)?,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
        columns,
    })
}

fn movie_id(row: &MySqlRow) -> Result<MovieId, sqlx::Error> {
    text(row, "movie_id")?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn text(row: &MySqlRow, column: &str) -> Result<String, sqlx::Error> {
    row.try_get_unchecked(column)
}

fn json_of(row: &MySqlRow, column: &str) -> Result<Value, sqlx::Error> {
    row.try_get::<Json<Value>, _>(column).map(|Json(value)| value)
}

pub fn instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}
