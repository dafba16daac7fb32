//! Publishing what is in the outbox, once Kafka is back.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::join_all;
use marquee_infra::{
    kafka::{FactProducer, PublishError},
    lease::{Held, Lease},
};
use sqlx::MySqlPool;
use thiserror::Error;
use tokio::{
    sync::Notify,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{rows, status::Reporter};
use crate::tokens::audit;

/// What other processes have written is found so soon.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Of what is published together.
const MAX_ROWS: u32 = 500;
/// For all of a round: less than the lease's term.
const ROUND_TIMEOUT: Duration = Duration::from_secs(6);
/// How long a round that is under way may take to end after a stop.
const GRACE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Error)]
pub(super) enum DrainError {
    #[error("MySQL could not be read or written")]
    Mysql(#[from] sqlx::Error),
    #[error("a round took too long")]
    Late(#[from] Elapsed),
    #[error("Kafka did not take a record")]
    Kafka(#[from] PublishError),
}

pub(super) struct Drain {
    pub(super) pool: MySqlPool,
    pub(super) lease: Lease,
    pub(super) producer: FactProducer,
    pub(super) topic: String,
    /// This process has written something.
    pub(super) written: Arc<Notify>,
    pub(super) reporter: Arc<Reporter>,
    pub(super) stop: CancellationToken,
}

enum Round {
    Standby,
    Idle,
    Published,
}

impl Drain {
    pub(super) async fn run(self) {
        let mut held = None;
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_cancelled() {
            let outcome = tokio::select! {
                outcome = timeout(ROUND_TIMEOUT, self.round(&mut held)) => {
                    outcome.unwrap_or_else(|elapsed| Err(elapsed.into()))
                }
                () = async { self.stop.cancelled().await; sleep(GRACE).await } => break,
            };
            match outcome {
                Ok(Round::Published) => pause = FIRST_PAUSE,
                Ok(Round::Idle) => {
                    pause = FIRST_PAUSE;
                    self.wait(POLL_INTERVAL, true).await;
                }
                // Often enough to take over soon after the lease has expired.
                Ok(Round::Standby) => self.wait(self.lease.term() / 10, false).await,
                Err(error) => {
                    self.reporter.problem(&error);
                    self.wait(pause, false).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        if let Some(held) = held {
            // If MySQL is away it expires by itself.
            let _ = timeout(GRACE, self.lease.release(held)).await;
        }
    }

    async fn wait(&self, time: Duration, or_written: bool) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.written.notified(), if or_written => {}
            () = self.stop.cancelled() => {}
        }
    }

    async fn round(&self, held: &mut Option<Held>) -> Result<Round, DrainError> {
        // Not known to be held any more if this fails.
        *held = self.lease.hold(held.take()).await?;
        if held.is_none() {
            self.reporter.stands_by();
            return Ok(Round::Standby);
        }
        let entries = rows::next(&self.pool, MAX_ROWS).await?;
        let waiting = if entries.is_empty() { 0 } else { rows::waiting(&self.pool).await? };
        self.reporter.leads(waiting);
        if entries.is_empty() {
            self.reporter.published(0);
            return Ok(Round::Idle);
        }
        let outcomes = join_all(
            entries.iter().map(|entry| audit::publish(&self.producer, &self.topic, entry)),
        )
        .await;
        let mut published = Vec::with_capacity(entries.len());
        let mut failure = None;
        for (entry, outcome) in entries.iter().zip(outcomes) {
            match outcome {
                Ok(()) => published.push(entry.token_id),
                Err(error) => failure = Some(error),
            }
        }
        rows::delete(&self.pool, &published).await?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        self.reporter.published(published.len());
        Ok(Round::Published)
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("topic", &self.topic).finish_non_exhaustive()
    }
}
