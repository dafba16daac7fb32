//! What the publisher tells of itself: to `/readyz`, to the metrics and, once per change, to the log.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use metrics::{counter, gauge};
use serde::Serialize;

use crate::{beside::Reports, failure::chain};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogTopicStatus {
    pub role: Role,
    /// What keeps it from publishing just now.
    pub problem: Option<String>,
    /// Since when it has had something to publish, and got nothing done.
    #[serde(skip)]
    pub stalled_for: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Standby,
    Leader,
}

#[derive(Debug, Default)]
pub struct Reporter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    leads: bool,
    problem: Option<String>,
    stalled_since: Option<Instant>,
    up_to_date_at: Option<Instant>,
}

impl Reports for Reporter {
    type Status = CatalogTopicStatus;

    fn status(&self) -> Self::Status {
        let state = self.locked();
        CatalogTopicStatus {
            role: if state.leads { Role::Leader } else { Role::Standby },
            problem: state.problem.clone(),
            stalled_for: state.stalled_since.map(|since| since.elapsed()),
        }
    }
}

impl Reporter {
    pub(super) fn leads(&self, epoch: u64) {
        tracing::info!(epoch, "this process publishes the catalog topic");
        gauge!("marquee_catalog_topic_leader").set(1.0);
        let mut state = self.locked();
        state.leads = true;
        state.stalled_since = Some(Instant::now());
        state.up_to_date_at = Some(Instant::now());
    }

    pub(super) fn stands_by(&self) {
        gauge!("marquee_catalog_topic_leader").set(0.0);
        gauge!("marquee_catalog_topic_lag_positions").set(0.0);
        gauge!("marquee_catalog_topic_lag_seconds").set(0.0);
        let mut state = self.locked();
        if std::mem::take(&mut state.leads) {
            tracing::info!("another process may publish the catalog topic");
        }
        state.stalled_since = None;
    }

    pub(super) fn works(&self) {
        if self.locked().problem.take().is_some() {
            tracing::info!("the catalog topic is published again");
        }
    }

    /// The problem is of the kind that nothing here mends: it is told, and is no stall.
    pub(super) fn cannot_be_done(&self) {
        self.locked().stalled_since = None;
    }

    pub(super) fn published(&self, documents: usize, tombstones: usize) {
        let count = |kind: &'static str, number: usize| {
            counter!("marquee_catalog_topic_published_total", "kind" => kind)
                .increment(number as u64);
        };
        count("document", documents);
        count("tombstone", tombstones);
        self.locked().stalled_since = Some(Instant::now());
    }

    /// By how many positions the topic is behind in the partition that is furthest behind, and how
    /// many movies' latest documents can't be published.
    pub(super) fn stands(&self, positions: u64, withheld: usize) {
        let mut state = self.locked();
        if positions == 0 {
            state.stalled_since = None;
            state.up_to_date_at = Some(Instant::now());
        } else if state.stalled_since.is_none() {
            state.stalled_since = Some(Instant::now());
        }
        let seconds = state.up_to_date_at.map_or(0.0, |then| then.elapsed().as_secs_f64());
        drop(state);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        {
            gauge!("marquee_catalog_topic_lag_positions").set(positions as f64);
            gauge!("marquee_catalog_topic_withheld_movies").set(withheld as f64);
        }
        gauge!("marquee_catalog_topic_lag_seconds").set(seconds);
    }

    /// A failure that stays the same is logged once, however often it is met.
    pub(super) fn problem(&self, error: &dyn std::error::Error) {
        let problem = chain(error);
        let mut state = self.locked();
        if state.problem.as_ref() != Some(&problem) {
            tracing::warn!(problem, "the catalog topic cannot be published; it is tried again");
        }
        state.problem = Some(problem);
    }

    /// A panic elsewhere leaves what is at worst old.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
