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

/// The partitions that this process works on, and how their consumers fare.
#[derive(Debug, Default)]
pub struct Progress {
    lanes: Mutex<BTreeMap<Lane, Arc<LaneProgress>>>,
    consumers: Mutex<BTreeMap<&'static str, ConsumerProgress>>,
}

#[derive(Debug)]
struct ConsumerProgress {
    reaches_kafka: bool,
    /// When its thread last asked for records. One that hangs would also tell no lag.
    polled_at: Instant,
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
        self.with_consumer(projection, |consumer| consumer.reaches_kafka = reachable);
    }

    pub fn polls(&self, projection: &'static str) {
        self.with_consumer(projection, |consumer| consumer.polled_at = Instant::now());
    }

    fn with_consumer(&self, projection: &'static str, change: impl FnOnce(&mut ConsumerProgress)) {
        let mut consumers = locked(&self.consumers);
        change(consumers.entry(projection).or_insert_with(|| ConsumerProgress {
            reaches_kafka: false,
            polled_at: Instant::now(),
        }));
    }

    /// Whether every consumer has a connection to a broker.
    pub fn kafka_reachable(&self) -> bool {
        let consumers = locked(&self.consumers);
        !consumers.is_empty() && consumers.values().all(|consumer| consumer.reaches_kafka)
    }

    /// What has got nothing done for longer than `limit`: partitions with events waiting, none of
    /// which was applied, and consumers that ask for no records. A partition that is only slow is not
    /// among them, however long its queue.
    pub fn stuck(&self, limit: Duration) -> Vec<String> {
        let consumers: Vec<String> = locked(&self.consumers)
            .iter()
            .filter(|(_, consumer)| consumer.polled_at.elapsed() > limit)
            .map(|(projection, _)| format!("consumer of {projection}"))
            .collect();
        let lanes = self.lanes();
        let stalled = lanes
            .iter()
            .filter(|lane| lane.stalled_for().is_some_and(|stalled| stalled > limit))
            .map(|lane| lane.lane.to_string());
        consumers.into_iter().chain(stalled).collect()
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
    /// No more is asked of Kafka for now: the worker has enough.
    paused: bool,
    /// Since when there are events waiting and none was applied.
    stalled_since: Option<Instant>,
    /// No event that waits is older, as far as this is known.
    oldest_waiting_at: Option<DateTime<Utc>>,
}

impl State {
    /// Kafka's offsets also number the marks that end transactions, so a difference of offsets
    /// would show a lag where nothing is left to read.
    fn lag_events(&self) -> i64 {
        if self.is_caught_up() {
            0
        } else {
            (self.end_offset.max(self.delivered_to) - self.next_offset).max(0)
        }
    }

    /// All that there was when Kafka was last asked is applied.
    fn is_caught_up(&self) -> bool {
        self.at_end && self.next_offset >= self.delivered_to
    }

    fn lag_seconds(&self, now: DateTime<Utc>) -> f64 {
        self.oldest_waiting_at
            .filter(|_| self.lag_events() > 0)
            .map_or(0.0, |oldest| (now - oldest).to_std().unwrap_or_default().as_secs_f64())
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

    pub fn set_paused(&self, paused: bool) {
        locked(&self.state).paused = paused;
    }

    pub fn is_paused(&self) -> bool {
        locked(&self.state).paused
    }

    /// Whether all that there was when Kafka was last asked is applied. Not before it was asked.
    pub fn is_caught_up(&self) -> bool {
        locked(&self.state).is_caught_up()
    }

    pub fn delivered(&self, offset: i64, event_at: Option<DateTime<Utc>>) {
        let mut state = locked(&self.state);
        if state.oldest_waiting_at.is_none() {
            state.oldest_waiting_at = event_at;
        }
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
        let all_applied = next_offset >= state.delivered_to;
        state.oldest_waiting_at = last_event_at.filter(|_| !all_applied);
        state.watch_for_stall(true);
    }

    /// Takes what the broker told, and publishes the gauges.
    pub fn observe_end(&self, end_offset: i64) {
        let mut state = locked(&self.state);
        state.end_offset = end_offset;
        state.watch_for_stall(false);
        let (lag, behind) = (state.lag_events(), state.lag_seconds(clock::now()));
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    fn lane() -> Lane {
        Lane { projection: "catalog", topic: "movies".to_owned(), partition: 0 }
    }

    fn at(seconds: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(seconds, 0)
    }

    /// The time that has passed since then is over the limit.
    fn pass() {
        let began = Instant::now();
        while began.elapsed() <= SOON {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_partition_is_stuck_when_events_wait_and_none_is_applied() {
        let progress = Progress::default();
        let one = progress.open(&lane(), 0);
        pass();
        assert_eq!(progress.stuck(SOON), [""; 0], "nothing waits");
        one.delivered(0, at(1));
        pass();
        assert_eq!(progress.stuck(SOON), ["catalog:movies[0]"]);
        one.applied(1, at(1));
        pass();
        assert_eq!(progress.stuck(SOON), [""; 0], "all is applied");
        // What waits in Kafka counts like what was delivered.
        one.observe_end(5);
        pass();
        assert_eq!(progress.stuck(SOON), ["catalog:movies[0]"]);
    }

    #[test]
    fn a_slow_partition_is_not_stuck() {
        let one = Progress::default().open(&lane(), 0);
        one.delivered(9, at(1));
        for offset in 1..9 {
            pass();
            let before = Instant::now();
            one.applied(offset, at(1));
            assert!(one.stalled_for().is_some_and(|stalled| stalled <= before.elapsed()));
        }
    }

    #[test]
    fn a_consumer_that_asks_for_nothing_is_stuck() {
        let progress = Progress::default();
        progress.polls("catalog");
        pass();
        assert_eq!(progress.stuck(SOON), ["consumer of catalog"]);
        progress.polls("catalog");
        assert_eq!(progress.stuck(Duration::from_secs(60)), [""; 0]);
    }

    #[test]
    fn a_partition_is_caught_up_when_kafka_had_no_more_and_all_is_applied() {
        let one = Progress::default().open(&lane(), 0);
        assert!(!one.is_caught_up(), "nobody has asked Kafka yet");
        one.reached_end();
        assert!(one.is_caught_up());
        one.delivered(0, at(1));
        assert!(!one.is_caught_up(), "more may follow it");
        one.reached_end();
        assert!(!one.is_caught_up(), "it is not applied");
        one.applied(1, at(1));
        assert!(one.is_caught_up());
    }

    #[test]
    fn the_lag_in_seconds_is_the_age_of_the_oldest_event_that_waits() {
        let one = Progress::default().open(&lane(), 0);
        let lag = |now| locked(&one.state).lag_seconds(at(now).unwrap());
        one.delivered(0, at(10));
        one.delivered(1, at(20));
        assert!((lag(25) - 15.0).abs() < f64::EPSILON, "none was applied yet");
        one.applied(1, at(10));
        assert!((lag(25) - 15.0).abs() < f64::EPSILON, "the next one may be as old");
        one.applied(2, at(20));
        assert!(lag(25).abs() < f64::EPSILON, "none waits");
        one.delivered(2, at(30));
        assert!((lag(31) - 1.0).abs() < f64::EPSILON, "the time of before is forgotten");
    }
}
