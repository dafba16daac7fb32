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

/// Events per statement: transactions of an ordinary size.
const EVENTS_AT_ONCE: u64 = 20_000;

/// The numbers from the first to the second parameter; each is a movie with events of the first one: those from the
/// last but one parameter to the last. Their positions: a base, and how much further the next movie's and the next
/// event's are.
const COPY: &str = "
INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
WITH RECURSIVE copies (n) AS (SELECT CAST(? AS UNSIGNED) UNION ALL SELECT n + 1 FROM copies WHERE n < ?)
SELECT
    ? + (n - ?) * ? + (first.position - 1) * ?,
    first.aggregate_type,
    INSERT(first.aggregate_id, 1, 8, LOWER(LPAD(HEX(n), 8, '0'))),
    first.sequence,
    first.event_type,
    first.event_version,
    JSON_REPLACE(
        first.payload,
        '$.movie_id', INSERT(first.aggregate_id, 1, 8, LOWER(LPAD(HEX(n), 8, '0'))),
        '$.title', CONCAT(first.payload->>'$.title', ' ', n),
        '$.slug', CONCAT(first.payload->>'$.slug', '-', n),
        '$.stream_source_id', INSERT(first.payload->>'$.stream_source_id', 1, 8, LOWER(LPAD(HEX(n), 8, '0'))),
        '$.caption_track_id', INSERT(first.payload->>'$.caption_track_id', 1, 8, LOWER(LPAD(HEX(n), 8, '0')))),
    first.metadata,
    first.recorded_at + INTERVAL n MICROSECOND
FROM copies STRAIGHT_JOIN events AS first ON first.position BETWEEN ? AND ?";

/// In which order the movies' events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Each movie's follow each other, as an import leaves them.
    Together,
    /// All movies' first events, then all their second ones, ...: those of one movie are as far from each other as the
    /// log is long.
    Apart,
}

pub struct Log {
    connection: MySqlConnection,
    /// How many events the movie has that all others are copied from.
    movie_events: u64,
    layout: Layout,
    pub events: u64,
}

impl Log {
    /// With one movie, made and revised by commands. Leaves command-api ended.
    pub async fn begin(marquee: &Marquee, layout: Layout) -> anyhow::Result<Self> {
        let movie = movies::plain("0");
        let revisions = [
            json!({ "title": "The Lighthouse Keeper's Last Summer 0" }),
            json!({ "genres": ["Drama"], "duration_minutes": 96 }),
            json!({ "availability_end": movie["availability_start"].as_str().map(|start| {
                start.replacen("20", "21", 1)
            }) }),
        ];
        Self::of(marquee, layout, &movie, &revisions).await
    }

    /// With that movie. Leaves command-api ended.
    pub async fn of(
        marquee: &Marquee,
        layout: Layout,
        movie: &Value,
        revisions: &[Value],
    ) -> anyhow::Result<Self> {
        marquee.command_api.start_ready().await;
        let address = marquee.command_api.address().parse()?;
        let token = jwt::with_scope("catalog:write");
        let mut http = HttpConnection::open(address).await?;
        let created =
            http.exchange(&client::post(address, "/v1/movies", &token, &movie.to_string())).await?;
        ensure!(created.status == 201, "the first movie was refused");
        let created: Value = serde_json::from_slice(created.body)?;
        let path = format!("/v1/movies/{}", created["movie_id"].as_str().unwrap_or_default());
        for revision in revisions {
            let request = client::patch(address, &path, &token, &revision.to_string());
            let answer = http.exchange(&request).await?;
            let body = String::from_utf8_lossy(answer.body);
            ensure!(answer.status == 200, "the first movie's revision was refused: {body}");
        }
        marquee.command_api.kill();
        let movie_events = marquee.database.head().await;
        let mut connection = MySqlConnection::connect(&marquee.database.url()).await?;
        let depth = format!("SET SESSION cte_max_recursion_depth = {}", EVENTS_AT_ONCE + 1);
        sqlx::query(&depth).execute(&mut connection).await?;
        Ok(Self { connection, movie_events, layout, events: movie_events })
    }

    /// Makes it so many movies long.
    pub async fn extend_to_movies(&mut self, movies: u64) -> anyhow::Result<f64> {
        self.extend_to(movies * self.movie_events).await
    }

    /// Makes it at least as long as that, and answers in how many seconds.
    pub async fn extend_to(&mut self, events: u64) -> anyhow::Result<f64> {
        let started = Instant::now();
        let (first, base) = (self.movies(), self.events + 1);
        let movies = events.saturating_sub(self.events).div_ceil(self.movie_events);
        let last = self.movie_events;
        match self.layout {
            Layout::Together => {
                let (next_movie, next_event) = (self.movie_events, 1);
                self.copy(first, movies, base, (next_movie, next_event), (1, last)).await?;
            }
            Layout::Apart => {
                for event in 1..=last {
                    self.copy(first, movies, base, (1, movies), (event, event)).await?;
                }
            }
        }
        sqlx::query("UPDATE event_log_head SET position = ?")
            .bind(self.events)
            .execute(&mut self.connection)
            .await?;
        // As after a while in production: the optimizer knows the table.
        sqlx::query("ANALYZE TABLE events").execute(&mut self.connection).await?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// How many there are.
    pub fn movies(&self) -> u64 {
        self.events / self.movie_events
    }

    /// Events of the first movie for `movies` more, the first of which has the number `first`.
    async fn copy(
        &mut self,
        first: u64,
        movies: u64,
        base: u64,
        (next_movie, next_event): (u64, u64),
        (first_event, last_event): (u64, u64),
    ) -> anyhow::Result<()> {
        let events = last_event - first_event + 1;
        let mut copied = 0;
        while copied < movies {
            let at_once = (movies - copied).min(EVENTS_AT_ONCE / events);
            let inserted = sqlx::query(COPY)
                .bind(first + copied)
                .bind(first + copied + at_once - 1)
                .bind(base)
                .bind(first)
                .bind(next_movie)
                .bind(next_event)
                .bind(first_event)
                .bind(last_event)
                .execute(&mut self.connection)
                .await?;
            ensure!(inserted.rows_affected() == at_once * events, "events are missing");
            copied += at_once;
            self.events += at_once * events;
        }
        Ok(())
    }
}
