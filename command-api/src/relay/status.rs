//! What the relay tells of itself: to `/readyz`, to the metrics and, once per change, to the log.

use metrics::gauge;
use serde::Serialize;
use tokio::sync::watch;

use super::RelayError;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelayStatus {
    pub role: Role,
    pub mode: Mode,
    /// The last position known to be in Kafka; 0 until this process has led.
    pub position: u64,
    /// What keeps it from publishing just now.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Standby,
    Leader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Not connected: standing by, or not there yet.
    Starting,
    Transactional,
    AtLeastOnce,
}

pub(super) struct Reporter(watch::Sender<RelayStatus>);

pub(super) fn channel() -> (Reporter, watch::Receiver<RelayStatus>) {
    let (sender, receiver) = watch::channel(RelayStatus {
        role: Role::Standby,
        mode: Mode::Starting,
        position: 0,
        problem: None,
    });
    gauge!("marquee_relay_leader").set(0.0);
    (Reporter(sender), receiver)
}

impl Reporter {
    pub(super) fn position(&self) -> u64 {
        self.0.borrow().position
    }

    pub(super) fn leads(&self, epoch: u64) {
        tracing::info!(epoch, "the relay leads");
        gauge!("marquee_relay_leader").set(1.0);
        self.0.send_modify(|status| {
            status.role = Role::Leader;
            status.mode = Mode::Starting;
        });
    }

    pub(super) fn stands_by(&self) {
        let led = self.0.send_if_modified(|status| {
            let led = status.role == Role::Leader;
            status.role = Role::Standby;
            status.mode = Mode::Starting;
            led
        });
        if led {
            gauge!("marquee_relay_leader").set(0.0);
            tracing::info!("the relay stands by");
        }
    }

    pub(super) fn connected(&self, mode: Mode, position: u64) {
        tracing::info!(?mode, position, "the relay publishes");
        self.0.send_modify(|status| {
            status.mode = mode;
            status.position = position;
        });
    }

    pub(super) fn published(&self, position: u64) {
        self.0.send_modify(|status| status.position = position);
    }

    pub(super) fn works(&self) {
        let recovered = self.0.send_if_modified(|status| status.problem.take().is_some());
        if recovered {
            tracing::info!("the relay has recovered");
        }
    }

    /// A failure that stays the same is logged once, however often it is met.
    pub(super) fn problem(&self, error: &RelayError) {
        let problem = error.chain();
        let is_new = self.0.send_if_modified(|status| {
            status.mode = Mode::Starting;
            let is_new = status.problem.as_ref() != Some(&problem);
            status.problem = Some(problem.clone());
            is_new
        });
        if is_new {
            tracing::warn!(problem, "the relay cannot publish and tries again");
        }
    }
}
