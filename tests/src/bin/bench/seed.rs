//! A long event log, quickly: a movie's real history, copied inside MySQL under other movies' ids.
//!
//! Only `events` and its head are written, which is all that readers of the log read. Names are not claimed, and
//! nothing is published or projected.

use std::time::Instant;

use anyhow::ensure;
use marquee_tests::{Marquee, jwt};
use serde_json::{Value, json};
use sqlx::{Connection, MySqlConnection};

use super::{
    client::{self, Connection as HttpConnection},
    movies,
};

/// Movies per statement: transactions of an ordinary size.
const COPIES_AT_ONCE: u64 = 5_000;

/// The numbers from the first to the second parameter; each is a movie with the events of the first one.
const COPY: &str = "
INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
WITH RECURSIVE copies (n) AS (SELECT CAST(? AS UNSIGNED) UNION ALL SELECT n + 1 FROM copies WHERE n < ?)
SELECT
    first.position + n * ?,
    first.aggregate_type,
    INSERT(first.aggregate_id, 1, 8, LOWER(LPAD(HEX(n), 8, '0'))),
    first.sequence,
    first.event_type,
    first.event_version,
    JSON_REPLACE(
        first.payload,
        '$.movie_id', INSERT(first.aggregate_id, 1, 8, LOWER(LPAD(HEX(n), 8, '0'))),
        '$.title', CONCAT(first.payload->>'$.title', ' ', n),
        '$.slug', CONCAT(first.payload->>'$.slug', '-', n)),
    first.metadata,
    first.recorded_at + INTERVAL n MICROSECOND
FROM copies STRAIGHT_JOIN events AS first ON first.position <= ?";

pub struct Log {
    connection: MySqlConnection,
    /// How many events the movie has that all others are copied from.
    movie_events: u64,
    pub events: u64,
}

impl Log {
    /// With one movie, made and revised by commands. Leaves command-api ended.
    pub async fn begin(marquee: &Marquee) -> anyhow::Result<Self> {
        marquee.command_api.start_ready().await;
        let address = marquee.command_api.address().parse()?;
        let token = jwt::with_scope("catalog:write");
        let mut http = HttpConnection::open(address).await?;
        let movie = movies::plain("0");
        let created =
            http.exchange(&client::post(address, "/v1/movies", &token, &movie.to_string())).await?;
        ensure!(created.status == 201, "the first movie was refused");
        let created: Value = serde_json::from_slice(created.body)?;
        let path = format!("/v1/movies/{}", created["movie_id"].as_str().unwrap_or_default());
        for revision in [
            json!({ "title": "The Lighthouse Keeper's Last Summer 0" }),
            json!({ "genres": ["Drama"], "duration_minutes": 96 }),
            json!({ "availability_end": movie["availability_start"].as_str().map(|start| {
                start.replacen("20", "21", 1)
            }) }),
        ] {
            let request = client::patch(address, &path, &token, &revision.to_string());
            let answer = http.exchange(&request).await?;
            let body = String::from_utf8_lossy(answer.body);
            ensure!(answer.status == 200, "the first movie's revision was refused: {body}");
        }
        marquee.command_api.kill();
        let movie_events = marquee.database.head().await;
        let mut connection = MySqlConnection::connect(&marquee.database.url(None)).await?;
        let depth = format!("SET SESSION cte_max_recursion_depth = {}", COPIES_AT_ONCE + 1);
        sqlx::query(&depth).execute(&mut connection).await?;
        Ok(Self { connection, movie_events, events: movie_events })
    }

    /// Makes it at least as long as that, and answers in how many seconds.
    pub async fn extend_to(&mut self, events: u64) -> anyhow::Result<f64> {
        let started = Instant::now();
        while self.events < events {
            let first = self.events / self.movie_events;
            let missing = (events - self.events).div_ceil(self.movie_events);
            let copies = missing.min(COPIES_AT_ONCE);
            let inserted = sqlx::query(COPY)
                .bind(first)
                .bind(first + copies - 1)
                .bind(self.movie_events)
                .bind(self.movie_events)
                .execute(&mut self.connection)
                .await?;
            ensure!(inserted.rows_affected() == copies * self.movie_events, "events are missing");
            self.events += inserted.rows_affected();
        }
        sqlx::query("UPDATE event_log_head SET position = ?")
            .bind(self.events)
            .execute(&mut self.connection)
            .await?;
        // As after a while in production: the optimizer knows the table.
        sqlx::query("ANALYZE TABLE events").execute(&mut self.connection).await?;
        Ok(started.elapsed().as_secs_f64())
    }
}
