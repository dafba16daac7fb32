//! Where each partition stands, for metrics and readiness. In memory; the checkpoint is in MySQL.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use marquee_infra::clock;
use metrics::gauge;

use crate::checkpoint::Lane;

/// The partitions that this process works on, and whether their consumers reach Kafka.
#[derive(Debug, Default)]
pub struct Progress {
    lanes: Mutex<BTreeMap<Lane, Arc<LaneProgress>>>,
    kafka_reachable: Mutex<BTreeMap<&'static str, bool>>,
}

impl Progress {
    pub fn open(&self, lane: &Lane, next_offset: i64) -> Arc<LaneProgress> {
        let progress = Arc::new(LaneProgress {
            lane: lane.clone(),
            state: Mutex::new(State { next_offset, ..State::default() }),
        });
        locked(&self.lanes).insert(lane.clone(), Arc::clone(&progress));
        progress
    }

    pub fn close(&self, lane: &Lane) {
        if let Some(progress) = locked(&self.lanes).remove(lane) {
            progress.set_gauges(0, 0.0);
        }
    }

    pub fn find(&self, lane: &Lane) -> Option<Arc<LaneProgress>> {
        locked(&self.lanes).get(lane).cloned()
    }

    pub fn lanes(&self) -> Vec<Arc<LaneProgress>> {
        locked(&self.lanes).values().cloned().collect()
    }

    pub fn set_kafka_reachable(&self, projection: &'static str, reachable: bool) {
        locked(&self.kafka_reachable).insert(projection, reachable);
    }

    /// Whether every consumer has a connection to a broker.
    pub fn kafka_reachable(&self) -> bool {
        let reachable = locked(&self.kafka_reachable);
        !reachable.is_empty() && reachable.values().all(|reachable| *reachable)
    }

    /// Partitions with events waiting, none of which has been applied for `limit`.
    pub fn stuck(&self, limit: Duration) -> Vec<Lane> {
        self.lanes()
            .iter()
            .filter(|lane| lane.stalled_for().is_some_and(|stalled| stalled > limit))
            .map(|lane| lane.lane.clone())
            .collect()
    }
}

#[derive(Debug)]
pub struct LaneProgress {
    lane: Lane,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_offset: i64,
    /// The offset after the last record given to the worker.
    delivered_to: i64,
    /// The offset after the last committed record, as the broker last told.
    end_offset: i64,
    /// Nothing was left to read when Kafka was last asked.
    at_end: bool,
    /// Since when there are events waiting and none was applied.
    stalled_since: Option<Instant>,
    last_event_at: Option<DateTime<Utc>>,
}

impl State {
    /// Kafka's offsets also number the marks that end transactions, so a difference of offsets
    /// would show a lag where nothing is left to read.
    fn lag_events(&self) -> i64 {
        if self.at_end && self.next_offset >= self.delivered_to {
            0
        } else {
            (self.end_offset.max(self.delivered_to) - self.next_offset).max(0)
        }
    }

    fn watch_for_stall(&mut self, progressed: bool) {
        if self.lag_events() == 0 {
            self.stalled_since = None;
        } else if progressed || self.stalled_since.is_none() {
            self.stalled_since = Some(Instant::now());
        }
    }
}

impl LaneProgress {
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    pub fn next_offset(&self) -> i64 {
        locked(&self.state).next_offset
    }

    pub fn lag_events(&self) -> i64 {
        locked(&self.state).lag_events()
    }

    pub fn delivered(&self, offset: i64) {
        let mut state = locked(&self.state);
        state.delivered_to = offset + 1;
        state.at_end = false;
        state.watch_for_stall(false);
    }

    pub fn reached_end(&self) {
        let mut state = locked(&self.state);
        state.at_end = true;
        state.watch_for_stall(false);
    }

    pub fn applied(&self, next_offset: i64, last_event_at: Option<DateTime<Utc>>) {
        let mut state = locked(&self.state);
        state.next_offset = next_offset;
        state.last_event_at = last_event_at.or(state.last_event_at);
        state.watch_for_stall(true);
    }

    /// Takes what the broker told, and publishes the gauges.
    pub fn observe_end(&self, end_offset: i64) {
        let mut state = locked(&self.state);
        state.end_offset = end_offset;
        state.watch_for_stall(false);
        let lag = state.lag_events();
        let behind = state
            .last_event_at
            .filter(|_| lag > 0)
            .map_or(0.0, |last| (clock::now() - last).to_std().unwrap_or_default().as_secs_f64());
        drop(state);
        self.set_gauges(lag, behind);
    }

    fn stalled_for(&self) -> Option<Duration> {
        locked(&self.state).stalled_since.map(|since| since.elapsed())
    }

    fn set_gauges(&self, lag_events: i64, lag_seconds: f64) {
        let partition = self.lane.partition.to_string();
        let labels = [("projection", self.lane.projection.to_owned()), ("partition", partition)];
        #[expect(clippy::cast_precision_loss, reason = "a lag of 2^52 events is lag enough")]
        gauge!("marquee_projector_lag_events", &labels).set(lag_events as f64);
        gauge!("marquee_projector_lag_seconds", &labels).set(lag_seconds);
    }
}

/// A panic elsewhere leaves numbers that are at worst old.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
