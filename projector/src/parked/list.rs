//! Looking at what is parked.

use std::fmt;

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, MySqlPool, QueryBuilder, types::Json};

/// A list is for people: no longer than they would read.
const MAX_LISTED: u32 = 1_000;

const COLUMNS: &str =
    "id, projection, topic, kafka_partition, kafka_offset, movie_id, error, parked_at";

#[derive(Debug, Serialize, FromRow)]
pub struct ParkedRecord {
    pub id: u64,
    pub projection: String,
    pub topic: String,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
    pub movie_id: String,
    pub error: String,
    pub parked_at: DateTime<Utc>,
}

/// With everything that came with it.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub record: ParkedRecord,
    pub key: Option<String>,
    pub headers: Vec<Value>,
    pub payload_bytes: usize,
    /// As text, where it is text.
    pub payload: Option<String>,
    pub payload_hex: Option<String>,
}

impl fmt::Display for ParkedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let movie = if self.movie_id.is_empty() { "-" } else { &self.movie_id };
        write!(
            f,
            "{:>8}  {:<36}  {}[{}]@{}  {}  {}",
            self.id,
            movie,
            self.topic,
            self.kafka_partition,
            self.kafka_offset,
            self.parked_at.format("%Y-%m-%dT%H:%M:%SZ"),
            self.error
        )
    }
}

#[derive(Debug)]
pub struct Listed {
    /// The oldest first.
    pub records: Vec<ParkedRecord>,
    /// How many there are behind these.
    pub more: u64,
}

/// All of them, or one movie's.
pub async fn list(pool: &MySqlPool, movie_id: Option<MovieId>) -> Result<Listed, sqlx::Error> {
    let select = |columns| {
        let mut select = QueryBuilder::new(format!("SELECT {columns} FROM parked_events"));
        if let Some(movie_id) = movie_id {
            select.push(" WHERE movie_id = ").push_bind(movie_id.to_string());
        }
        select
    };
    let mut records = select(COLUMNS);
    records.push(" ORDER BY id LIMIT ").push_bind(MAX_LISTED);
    let records: Vec<ParkedRecord> = records.build_query_as().fetch_all(pool).await?;
    let all: i64 = select("COUNT(*)").build_query_scalar().fetch_one(pool).await?;
    let more = all.unsigned_abs().saturating_sub(records.len() as u64);
    Ok(Listed { records, more })
}

pub async fn show(pool: &MySqlPool, id: u64) -> Result<Option<Shown>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        #[sqlx(flatten)]
        record: ParkedRecord,
        record_key: Option<Vec<u8>>,
        headers: Json<Vec<Value>>,
        payload: Option<Vec<u8>>,
    }
    let sql =
        format!("SELECT {COLUMNS}, record_key, headers, payload FROM parked_events WHERE id = ?");
    let row: Option<Row> = sqlx::query_as(&sql).bind(id).fetch_optional(pool).await?;
    Ok(row.map(|row| {
        let payload = row.payload.unwrap_or_default();
        let payload_bytes = payload.len();
        let (payload, payload_hex) = match String::from_utf8(payload) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(hex::encode(error.as_bytes()))),
        };
        Shown {
            record: row.record,
            key: row.record_key.map(|key| String::from_utf8_lossy(&key).into_owned()),
            headers: row.headers.0,
            payload_bytes,
            payload,
            payload_hex,
        }
    }))
}
