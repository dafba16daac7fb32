//! What is there: the log, the tables, and how far they are.

use std::collections::BTreeMap;

use sqlx::{MySqlConnection, MySqlPool, Row as _, mysql::MySqlRow, types::Json};

use super::{Cell, LogEvent, Row, Table, Tables};
use crate::{topic, wait::until};

/// Every read model, with the columns of its primary key.
pub const PRIMARY_KEYS: [(&str, &[&str]); 9] = [
    ("catalog_movies", &["movie_id"]),
    ("catalog_genres", &["movie_id", "ordinal"]),
    ("catalog_stream_sources", &["stream_source_id"]),
    ("catalog_caption_tracks", &["caption_track_id"]),
    ("movie_history", &["movie_id", "version"]),
    ("stream_token_audit", &["token_id", "movie_id"]),
    ("stream_token_denials", &["denial_id"]),
    ("stream_token_revocations", &["token_id", "movie_id"]),
    ("viewing_sessions", &["session_id"]),
];

/// MariaDB would not tell: to it, these are text.
const JSON_COLUMNS: [&str; 6] = ["genres", "state", "facts", "payload", "player_errors", "fold"];

/// The whole event log, in the order of positions.
pub async fn log(pool: &MySqlPool) -> Vec<LogEvent> {
    let rows = sqlx::query(
        "SELECT position, aggregate_id, sequence, event_type, CAST(payload AS CHAR) AS payload,
             metadata, recorded_at
         FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await
    .expect("the event log can be read");
    rows.iter().map(log_event).collect()
}

fn log_event(row: &MySqlRow) -> LogEvent {
    let Json(metadata): Json<BTreeMap<String, String>> = row.get("metadata");
    let take = |name| metadata.get(name).cloned().unwrap_or_default();
    LogEvent {
        position: row.get("position"),
        movie_id: row.get::<String, _>("aggregate_id").parse().expect("a movie's id"),
        sequence: row.get::<i64, _>("sequence").cast_unsigned(),
        event_type: row.get("event_type"),
        payload: row.get("payload"),
        command: take("command"),
        actor: take("actor"),
        request_id: take("request_id"),
        recorded_at: row.get("recorded_at"),
    }
}

/// All rows and all columns of all read models.
///
/// # Panics
/// When they cannot be read.
pub async fn read(connection: &mut MySqlConnection) -> Tables {
    let mut tables = BTreeMap::new();
    for (table, primary_key) in PRIMARY_KEYS {
        let columns = columns(connection, table).await;
        let list: Vec<_> = columns.iter().map(|it| format!("CAST(`{it}` AS BINARY)")).collect();
        let select = format!("SELECT {} FROM {table}", list.join(", "));
        let found = sqlx::query(&select).fetch_all(&mut *connection).await;
        let rows = found.unwrap_or_else(|error| panic!("{select}: {error}"));
        let rows: Table = rows
            .iter()
            .map(|row| {
                let row = cells(&columns, row);
                (primary_key.iter().map(|column| key(&row[*column])).collect(), row)
            })
            .collect();
        tables.insert(table, rows);
    }
    Tables(tables)
}

async fn columns(connection: &mut MySqlConnection, table: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT CAST(column_name AS CHAR) FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
    )
    .bind(table)
    .fetch_all(connection)
    .await
    .expect("the schema can be read")
}

fn cells(columns: &[String], row: &MySqlRow) -> Row {
    let cell = |(index, column): (usize, &String)| {
        let bytes: Option<Vec<u8>> = row.get_unchecked(index);
        let cell = bytes.map_or(Cell::Null, |bytes| {
            let is_json = JSON_COLUMNS.contains(&column.as_str());
            let value = is_json.then(|| serde_json::from_slice(&bytes).ok()).flatten();
            value.map_or(Cell::Bytes(bytes), Cell::Json)
        });
        (column.clone(), cell)
    };
    columns.iter().enumerate().map(cell).collect()
}

fn key(cell: &Cell) -> String {
    match cell {
        Cell::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cell::Null | Cell::Json(_) => panic!("{cell:?} in a primary key"),
    }
}

/// The offset after the last record of each partition that has one.
pub fn topic_end(records: &[topic::Record]) -> BTreeMap<i32, i64> {
    let mut end = BTreeMap::new();
    for record in records {
        let next = end.entry(record.partition).or_default();
        *next = (record.offset + 1).max(*next);
    }
    end
}

/// Waits until everything before these offsets of the topic is applied.
pub async fn wait_for_checkpoints(pool: &MySqlPool, topic: &str, end: &BTreeMap<i32, i64>) {
    until(&format!("{topic} is projected to its end"), async || {
        let checkpoints: Vec<(i32, i64)> = sqlx::query_as(
            "SELECT kafka_partition, next_offset FROM projection_checkpoints WHERE topic = ?",
        )
        .bind(topic)
        .fetch_all(pool)
        .await
        .ok()?;
        let checkpoints: BTreeMap<i32, i64> = checkpoints.into_iter().collect();
        let reached = |(partition, end)| checkpoints.get(partition).is_some_and(|at| at >= end);
        end.iter().all(reached).then_some(())
    })
    .await;
}
