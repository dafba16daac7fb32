//! What the publisher tells of itself: to `/readyz`, to the metrics and, once per change, to the log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use serde::Serialize;

use crate::{beside::Reports, failure::chain};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DeadLettersStatus {
    /// Whether it is this process that copies.
    pub leads: bool,
    /// Copies that are still to be made, as far as this process knows.
    pub waiting: i64,
    /// What keeps it from copying just now.
    pub problem: Option<String>,
}

#[derive(Debug, Default)]
pub struct Reporter(Mutex<DeadLettersStatus>);

impl Reports for Reporter {
    type Status = DeadLettersStatus;

    fn status(&self) -> Self::Status {
        self.locked().clone()
    }
}

impl Reporter {
    pub(super) fn stands_by(&self) {
        *self.locked() = DeadLettersStatus::default();
        gauge!("marquee_dead_letters_waiting").set(0.0);
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    pub(super) fn leads(&self, waiting: i64) {
        gauge!("marquee_dead_letters_waiting").set(waiting as f64);
        let mut status = self.locked();
        status.leads = true;
        status.waiting = waiting;
    }

    pub(super) fn copied(&self, letters: usize) {
        counter!("marquee_dead_letters_published_total").increment(letters as u64);
        if self.locked().problem.take().is_some() {
            tracing::info!("dead letters can be copied again");
        }
    }

    /// A failure that stays the same is logged once, however often it is met.
    pub(super) fn problem(&self, error: &dyn std::error::Error) {
        let problem = chain(error);
        let mut status = self.locked();
        if status.problem.as_ref() != Some(&problem) {
            tracing::warn!(problem, "dead letters cannot be copied; it is tried again");
        }
        status.problem = Some(problem);
    }

    /// A panic elsewhere leaves what is at worst old.
    fn locked(&self) -> MutexGuard<'_, DeadLettersStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
