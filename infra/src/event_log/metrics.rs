//! What the append path tells Prometheus.

use std::time::Duration;

use super::{AppendError, Outcome, appender::Verdict, settle::Refusal};

pub(super) fn queue_depth(commands: usize) {
    metrics::gauge!("marquee_event_log_queue_commands").set(as_float(commands));
}

pub(super) fn batch(commands: usize, elapsed: Duration) {
    metrics::histogram!("marquee_event_log_batch_commands").record(as_float(commands));
    metrics::histogram!("marquee_event_log_batch_seconds").record(elapsed.as_secs_f64());
}

/// Where a batch's time goes: "lock", "look_up", "write" or "commit".
pub(super) fn step(step: &'static str, elapsed: Duration) {
    metrics::histogram!("marquee_event_log_step_seconds", "step" => step)
        .record(elapsed.as_secs_f64());
}

/// One command's time in the queue and in the transaction.
pub(super) fn append(elapsed: Duration, verdict: &Verdict) {
    metrics::histogram!("marquee_event_log_append_seconds", "outcome" => outcome(verdict))
        .record(elapsed.as_secs_f64());
}

pub(super) fn refused_queue_full() {
    metrics::counter!("marquee_event_log_queue_full_total").increment(1);
}

const fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(Outcome::Appended(_)) => "appended",
        Ok(Outcome::Replayed(_)) => "replayed",
        Err(Refusal::VersionConflict { .. } | Refusal::TitleTaken { .. } | Refusal::KeyReused) => {
            "refused"
        }
        Err(Refusal::Failed(AppendError::OutcomeUnknown)) => "unknown",
        Err(Refusal::Failed(_)) => "failed",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a queue is far shorter than 2^52")]
const fn as_float(count: usize) -> f64 {
    count as f64
}
