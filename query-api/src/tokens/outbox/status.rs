//! What the drain tells of itself: to `/readyz`, to the metrics and, once per change, to the log.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};

use metrics::{counter, gauge};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboxStatus {
    /// Whether it is this process that publishes.
    pub leads: bool,
    /// Records that are not in Kafka yet, as far as this process knows.
    pub waiting: i64,
    /// What keeps it from publishing just now.
    pub problem: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Reporter(Mutex<OutboxStatus>);

impl Reporter {
    pub(super) fn status(&self) -> OutboxStatus {
        self.locked().clone()
    }

    pub(super) fn stands_by(&self) {
        *self.locked() = OutboxStatus::default();
        gauge!("marquee_stream_token_outbox_waiting").set(0.0);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    pub(super) fn leads(&self, waiting: i64) {
        gauge!("marquee_stream_token_outbox_waiting").set(waiting as f64);
        let mut status = self.locked();
        status.leads = true;
        status.waiting = waiting;
    }

    pub(super) fn published(&self, records: usize) {
        counter!("marquee_stream_token_outbox_published_total").increment(records as u64);
        if self.locked().problem.take().is_some() {
            tracing::info!("the stream tokens' outbox is published again");
        }
    }

    /// A failure that stays the same is logged once, however often it is met.
    pub(super) fn problem(&self, error: &dyn Error) {
        let mut problem = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            problem = format!("{problem}: {error}");
            source = error.source();
        }
        let mut status = self.locked();
        if status.problem.as_ref() != Some(&problem) {
            tracing::warn!(problem, "the stream tokens' outbox waits; it is tried again");
        }
        status.problem = Some(problem);
    }

    /// A panic elsewhere leaves what is at worst old.
    fn locked(&self) -> MutexGuard<'_, OutboxStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
