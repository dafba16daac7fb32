//! The last events that this process has appended, kept in memory for the relay, which then need not
//! read them back from MySQL.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::RecordedEvent;

const MAX_EVENTS: usize = 4_096;
const MAX_BYTES: usize = 8 * 1_024 * 1_024;

/// Cheap to clone. It forgets the oldest events when there are too many: whoever is further behind
/// reads the log.
#[derive(Clone, Default)]
pub struct RecentEvents(Arc<Mutex<Recent>>);

#[derive(Default)]
struct Recent {
    /// In order of their positions; another process's events are missing between them.
    events: VecDeque<Arc<RecordedEvent>>,
    bytes: usize,
}

impl RecentEvents {
    /// The events right after `position`, without a gap, as many as are known and at most `limit`.
    /// None at all says nothing about the log.
    pub fn after(&self, position: u64, limit: usize) -> Vec<Arc<RecordedEvent>> {
        let recent = self.lock();
        let start = recent.events.partition_point(|event| event.position <= position);
        (position + 1..)
            .zip(recent.events.range(start..))
            .take_while(|(expected, event)| event.position == *expected)
            .map(|(_, event)| Arc::clone(event))
            .take(limit)
            .collect()
    }

    /// To be called once the events are durable, and before anybody is told of them.
    pub(super) fn push(&self, events: impl Iterator<Item = RecordedEvent>) {
        let mut recent = self.lock();
        for event in events {
            // A log that was restored from a backup gives positions again.
            if recent.events.back().is_some_and(|last| last.position >= event.position) {
                *recent = Recent::default();
            }
            recent.bytes += size(&event);
            recent.events.push_back(Arc::new(event));
        }
        while recent.events.len() > MAX_EVENTS || recent.bytes > MAX_BYTES {
            let Some(oldest) = recent.events.pop_front() else { return };
            recent.bytes -= size(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(event: &RecordedEvent) -> usize {
    let metadata: usize = event.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    size_of::<RecordedEvent>() + event.payload.get().len() + metadata
}

impl fmt::Debug for RecentEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecentEvents").field("events", &self.lock().events.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use marquee_domain::MovieId;
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn event(position: u64, payload_bytes: usize) -> RecordedEvent {
        RecordedEvent {
            position,
            movie_id: MovieId::new(Uuid::from_u128(position.into())),
            sequence: 1,
            event_type: "marquee.movie.MovieShown.v1".to_owned(),
            event_version: "1".to_owned(),
            payload: RawValue::from_string(format!("\"{}\"", "x".repeat(payload_bytes))).unwrap(),
            metadata: [].into(),
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    fn positions(recent: &RecentEvents, after: u64, limit: usize) -> Vec<u64> {
        recent.after(after, limit).iter().map(|event| event.position).collect()
    }

    #[test]
    fn it_gives_what_follows_up_to_the_first_gap() {
        let recent = RecentEvents::default();
        assert!(positions(&recent, 0, 10).is_empty());
        recent.push([3, 4, 5, 8, 9].into_iter().map(|position| event(position, 0)));
        assert!(positions(&recent, 0, 10).is_empty());
        assert_eq!(positions(&recent, 2, 10), [3, 4, 5]);
        assert_eq!(positions(&recent, 3, 1), [4]);
        assert!(positions(&recent, 5, 10).is_empty());
        assert_eq!(positions(&recent, 7, 10), [8, 9]);
        assert!(positions(&recent, 9, 10).is_empty());
    }

    #[test]
    fn it_forgets_the_oldest_by_number_and_by_size() {
        let recent = RecentEvents::default();
        let last = 2 * MAX_EVENTS as u64;
        recent.push((1..=last).map(|position| event(position, 0)));
        assert!(positions(&recent, 0, 1).is_empty());
        assert_eq!(recent.after(last - MAX_EVENTS as u64, usize::MAX).len(), MAX_EVENTS);
        recent.push((1..=5).map(|n| event(last + n, MAX_BYTES / 4)));
        assert_eq!(recent.lock().events.len(), 3);
        assert_eq!(positions(&recent, last + 2, 10), [last + 3, last + 4, last + 5]);
    }

    #[test]
    fn it_forgets_everything_when_positions_are_given_again() {
        let recent = RecentEvents::default();
        recent.push([1, 2, 3].into_iter().map(|position| event(position, 0)));
        recent.push([2, 3].into_iter().map(|position| event(position, 0)));
        assert!(positions(&recent, 0, 10).is_empty());
        assert_eq!(positions(&recent, 1, 10), [2, 3]);
    }
}
