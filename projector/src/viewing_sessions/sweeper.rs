//! Sessions whose players have fallen silent: their time-out is published as an event, and becomes true
//! by being folded like any other.
//!
//! Only sessions of partitions that this process reads, and has read to the end: what a player said is
//! then in its row. No lease is needed for it, and where two processes believe for a moment to have
//! the same partition, they publish the same event. What was heard of the player meanwhile makes it
//! void.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use marquee_domain::{
    ViewingSessionId,
    viewing_session::{TimedOut, ViewingSessionEvent},
};
use marquee_infra::{
    clock,
    kafka::{Fact, FactProducer, PublishError, cloud_event::PROJECTOR, viewing_session},
};
use metrics::counter;
use sqlx::{FromRow, MySqlPool};
use thiserror::Error;
use tokio::time::sleep;

use super::ViewingSessions;
use crate::{progress::Progress, projection::Projection};

const INTERVAL: Duration = Duration::from_secs(1);
/// More wait for the next round.
const MAX_AT_ONCE: u32 = 500;

#[derive(Debug)]
pub struct Sweeper {
    pub pool: MySqlPool,
    pub producer: FactProducer,
    pub topic: String,
    pub progress: Arc<Progress>,
}

#[derive(Debug, Error)]
enum SweepError {
    #[error("MySQL can't be asked")]
    Mysql(#[from] sqlx::Error),
    #[error("the time-outs can't be published")]
    Kafka(#[from] PublishError),
    #[error("a time-out can't be written")]
    Json(#[from] serde_json::Error),
}

#[derive(Debug, FromRow)]
struct Silent {
    session_id: String,
    last_seen_at: DateTime<Utc>,
}

impl Sweeper {
    /// For ever. While MySQL or Kafka is away, sessions time out later.
    pub async fn run(self) {
        let mut failing = false;
        loop {
            sleep(INTERVAL).await;
            match self.sweep().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "viewing sessions can't time out at the moment");
                }
                Err(_) => {}
            }
        }
    }

    async fn sweep(&self) -> Result<(), SweepError> {
        if !self.progress.kafka_reachable() {
            return Ok(());
        }
        for lane in self.progress.lanes() {
            if lane.lane().projection == ViewingSessions::NAME && lane.is_caught_up() {
                self.sweep_partition(lane.lane().partition).await?;
            }
        }
        Ok(())
    }

    async fn sweep_partition(&self, partition: i32) -> Result<(), SweepError> {
        let now = clock::now();
        let silent: Vec<Silent> = sqlx::query_as(
            "SELECT CONVERT(session_id USING utf8mb4) AS session_id, last_seen_at
             FROM viewing_sessions
             WHERE kafka_partition = ? AND times_out_at <= ? ORDER BY times_out_at LIMIT ?",
        )
        .bind(partition)
        .bind(now)
        .bind(MAX_AT_ONCE)
        .fetch_all(&self.pool)
        .await?;
        let facts: Vec<Fact> = silent
            .iter()
            .filter_map(|silent| silent.timed_out(now))
            .map(|event| viewing_session::fact(&event, PROJECTOR, None))
            .collect::<Result<_, _>>()?;
        if !facts.is_empty() {
            self.producer.publish_all(&self.topic, &facts).await?;
            counter!("marquee_viewing_sessions_timed_out_total").increment(facts.len() as u64);
        }
        Ok(())
    }
}

impl Silent {
    fn timed_out(&self, now: DateTime<Utc>) -> Option<ViewingSessionEvent> {
        let session_id: ViewingSessionId = self.session_id.parse().ok()?;
        Some(ViewingSessionEvent::ViewingSessionTimedOut(TimedOut {
            session_id,
            last_seen_at: self.last_seen_at,
            timed_out_at: now,
        }))
    }
}
