//! One partition's events, applied in order, a batch at a time, each batch in one transaction.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use metrics::{counter, histogram};
use rdkafka::{Message, message::OwnedMessage};
use sqlx::MySqlPool;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    checkpoint::{self, Lane},
    failure::Failure,
    parked,
    progress::LaneProgress,
    projection::{Applied, Parked, Projection},
};

const MAX_BATCH_RECORDS: usize = 512;
/// Longer than any lock wait; a connection that hangs must not hang the partition.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Deadlocks in a row before the worker pauses.
const MAX_CONTENTIONS: u32 = 10;

/// A record on its way to the worker, with the share of the memory budget that it takes.
pub struct Delivery {
    pub record: OwnedMessage,
    pub room: OwnedSemaphorePermit,
}

pub struct Worker<P> {
    pub lane: Lane,
    pub projection: Arc<P>,
    pub pool: MySqlPool,
    pub next_offset: i64,
    pub deliveries: mpsc::Receiver<Delivery>,
    pub stop: CancellationToken,
    pub progress: Arc<LaneProgress>,
}

/// The worker was asked to end while MySQL was away.
struct Stopped;

impl<P: Projection> Worker<P> {
    /// Ends when asked to, or when the checkpoint is not where it left it: whoever finds it ended
    /// starts anew from the checkpoint.
    pub async fn run(mut self) {
        let mut deliveries = Vec::with_capacity(MAX_BATCH_RECORDS);
        loop {
            let received = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                received = self.deliveries.recv_many(&mut deliveries, MAX_BATCH_RECORDS) => received,
            };
            if received == 0 {
                return;
            }
            let (records, _room): (Vec<_>, Vec<_>) =
                deliveries.drain(..).map(|delivery| (delivery.record, delivery.room)).unzip();
            if self.project(&records).await.is_err() {
                return;
            }
        }
    }

    /// Applies the records, together if possible. Never skips one, never gives up by itself.
    async fn project(&mut self, records: &[OwnedMessage]) -> Result<(), Stopped> {
        let mut rest = records;
        let mut take = rest.len();
        let mut refused_alone = None;
        let mut trouble = Trouble::default();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(take);
            let failure = match self.attempt(batch, None).await {
                Ok(()) => {
                    trouble.over(&self.lane);
                    rest = later;
                    take = rest.len();
                    continue;
                }
                // Find the record by halves, so that the others are not parked with it.
                Err(Failure::Refused(_)) if batch.len() > 1 => {
                    take = batch.len() / 2;
                    continue;
                }
                // Once more: a worker of another partition may have made the same movie's row meanwhile.
                Err(Failure::Refused(_)) if refused_alone != batch.first().map(Message::offset) => {
                    refused_alone = batch.first().map(Message::offset);
                    continue;
                }
                Err(Failure::Refused(reason)) => match self.attempt(batch, Some(&reason)).await {
                    Ok(()) => {
                        rest = later;
                        take = rest.len();
                        continue;
                    }
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if let Failure::Superseded { expected, found } = failure {
                tracing::warn!(
                    lane = %self.lane, expected, found,
                    "the checkpoint was moved by someone else: this batch is dropped"
                );
                counter!("marquee_projector_superseded_total", "projection" => P::NAME)
                    .increment(1);
                return Err(Stopped);
            }
            if let Some(pause) = trouble.after(&self.lane, &failure) {
                timeout(pause, self.stop.cancelled()).await.map_or(Ok(()), |()| Err(Stopped))?;
            }
        }
        Ok(())
    }

    /// One transaction. With a `refusal`, the one record is parked for it.
    async fn attempt(
        &mut self,
        batch: &[OwnedMessage],
        refusal: Option<&str>,
    ) -> Result<(), Failure> {
        let Some(last) = batch.last() else { return Ok(()) };
        let started = Instant::now();
        let next_offset = last.offset() + 1;
        let applied = timeout(ATTEMPT_TIMEOUT, self.transaction(batch, next_offset, refusal))
            .await
            .unwrap_or(Err(Failure::TooSlow(ATTEMPT_TIMEOUT)))?;
        self.next_offset = next_offset;
        self.progress.applied(next_offset, time_of(last));
        self.record(batch.len(), &applied, started.elapsed());
        Ok(())
    }

    async fn transaction(
        &self,
        batch: &[OwnedMessage],
        next_offset: i64,
        refusal: Option<&str>,
    ) -> Result<Applied, Failure> {
        let mut tx = self.pool.begin().await?;
        checkpoint::lock(&mut tx, &self.lane, self.next_offset).await?;
        let applied = match (refusal, batch) {
            (Some(error), [record, ..]) => Applied {
                parked: vec![Parked {
                    index: 0,
                    movie_id: self.projection.waits_for(record).unwrap_or_default(),
                    error: error.to_owned(),
                }],
                ..Applied::default()
            },
            _ => self.projection.apply(&mut tx, batch).await?,
        };
        parked::write(&mut tx, &self.lane, batch, &applied.parked).await?;
        checkpoint::advance(&mut tx, &self.lane, self.next_offset, next_offset, &applied).await?;
        tx.commit().await?;
        Ok(applied)
    }

    fn record(&self, records: usize, applied: &Applied, took: Duration) {
        let labels = [("projection", P::NAME)];
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        histogram!("marquee_projector_batch_records", &labels).record(records as f64);
        histogram!("marquee_projector_apply_seconds", &labels).record(took.as_secs_f64());
        counter!("marquee_projector_records_total", &labels).increment(records as u64);
        counter!("marquee_projector_skipped_total", &labels).increment(applied.skipped as u64);
        counter!("marquee_projector_parked_total", &labels).increment(applied.parked.len() as u64);
        for parked in &applied.parked {
            tracing::error!(
                lane = %self.lane, movie_id = parked.movie_id, error = parked.error,
                "a record was parked"
            );
        }
    }
}

/// Consecutive failures of one batch: how long to wait, and what was said about it.
#[derive(Default)]
struct Trouble {
    contentions: u32,
    pause: Option<Duration>,
}

impl Trouble {
    /// How long to wait before the next attempt.
    fn after(&mut self, lane: &Lane, failure: &Failure) -> Option<Duration> {
        if matches!(failure, Failure::Contention(_)) {
            self.contentions += 1;
            if self.contentions <= MAX_CONTENTIONS {
                return None;
            }
        }
        if self.pause.is_none() {
            let error: &dyn std::error::Error = failure;
            tracing::warn!(%lane, error, "the partition waits; nothing is lost or skipped");
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        Some(pause)
    }

    fn over(&mut self, lane: &Lane) {
        if self.pause.is_some() {
            tracing::info!(%lane, "the partition goes on");
        }
        *self = Self::default();
    }
}

pub fn time_of(record: &OwnedMessage) -> Option<DateTime<Utc>> {
    record.timestamp().to_millis().and_then(DateTime::from_timestamp_millis)
}
