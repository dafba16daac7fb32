//! Looking at what is parked.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{FromRow, MySqlPool, types::Json};

/// A list is for people: no longer than they would read.
const MAX_LISTED: u32 = 1_000;

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

/// The oldest first.
pub async fn list(pool: &MySqlPool) -> Result<Vec<ParkedRecord>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, projection, topic, kafka_partition, kafka_offset, movie_id, error, parked_at
         FROM parked_events ORDER BY id LIMIT ?",
    )
    .bind(MAX_LISTED)
    .fetch_all(pool)
    .await
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
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, projection, topic, kafka_partition, kafka_offset, movie_id, error, parked_at,
             record_key, headers, payload
         FROM parked_events WHERE id = ?",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
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
