//! What is to be validated when. Knows no clock.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::{CaptionTrackId, MovieEvent, MovieId, StreamSourceId};

/// Something with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Source(StreamSourceId),
    Caption(CaptionTrackId),
}

/// When each target is due, by movie.
#[derive(Debug)]
pub struct Schedule {
    interval: TimeDelta,
    by_movie: HashMap<MovieId, HashMap<Target, DateTime<Utc>>>,
    by_time: BTreeSet<(DateTime<Utc>, MovieId, Target)>,
}

impl Schedule {
    pub fn new(interval: TimeDelta) -> Self {
        Self { interval, by_movie: HashMap::new(), by_time: BTreeSet::new() }
    }

    /// Takes note of an event of the log.
    pub fn apply(&mut self, movie_id: MovieId, event: &MovieEvent) {
        match event {
            MovieEvent::StreamSourceAttached { stream_source_id, last_validated_at, .. }
            | MovieEvent::StreamSourceValidated { stream_source_id, last_validated_at, .. } => {
                self.validated(movie_id, Target::Source(*stream_source_id), *last_validated_at);
            }
            MovieEvent::CaptionTrackAdded { caption_track_id, last_validated_at, .. }
            | MovieEvent::CaptionTrackReplaced { caption_track_id, last_validated_at, .. }
            | MovieEvent::CaptionTrackValidated { caption_track_id, last_validated_at, .. } => {
                self.validated(movie_id, Target::Caption(*caption_track_id), *last_validated_at);
            }
            MovieEvent::StreamSourceDetached { stream_source_id, .. } => {
                self.forget(movie_id, Target::Source(*stream_source_id));
            }
            MovieEvent::CaptionTrackRemoved { caption_track_id, .. } => {
                self.forget(movie_id, Target::Caption(*caption_track_id));
            }
            MovieEvent::MovieRemoved { .. } => {
                for (target, due) in self.by_movie.remove(&movie_id).unwrap_or_default() {
                    self.by_time.remove(&(due, movie_id, target));
                }
            }
            MovieEvent::MovieCreated { .. }
            | MovieEvent::MovieRetitled { .. }
            | MovieEvent::MovieDetailsRevised { .. }
            | MovieEvent::AvailabilityRescheduled { .. }
            | MovieEvent::MovieShown { .. }
            | MovieEvent::MovieHidden { .. }
            | MovieEvent::PrimaryStreamSourceChanged { .. }
            | MovieEvent::DefaultCaptionChanged { .. } => {}
        }
    }

    /// The target was validated at `at`: it is due again an interval later, give or take a tenth.
    pub fn validated(&mut self, movie_id: MovieId, target: Target, at: DateTime<Utc>) {
        self.put(movie_id, target, at + self.interval + self.jitter(target));
    }

    /// The target could not be validated: it is due again at `at`.
    pub fn postpone(&mut self, movie_id: MovieId, target: Target, at: DateTime<Utc>) {
        let known = self.by_movie.get(&movie_id).is_some_and(|known| known.contains_key(&target));
        if known {
            self.put(movie_id, target, at);
        }
    }

    /// The one that has been due longest, taken off the schedule until it is put back.
    pub fn next_due(&mut self, now: DateTime<Utc>) -> Option<(MovieId, Target)> {
        let first = *self.by_time.first()?;
        let (due, movie_id, target) = first;
        if due > now {
            return None;
        }
        self.by_time.remove(&first);
        Some((movie_id, target))
    }

    fn put(&mut self, movie_id: MovieId, target: Target, due: DateTime<Utc>) {
        self.forget(movie_id, target);
        self.by_movie.entry(movie_id).or_default().insert(target, due);
        self.by_time.insert((due, movie_id, target));
    }

    fn forget(&mut self, movie_id: MovieId, target: Target) {
        if let Some(known) = self.by_movie.get_mut(&movie_id)
            && let Some(due) = known.remove(&target)
        {
            self.by_time.remove(&(due, movie_id, target));
        }
    }

    /// Spreads what was attached together. By the id, so that a restart changes nothing.
    fn jitter(&self, target: Target) -> TimeDelta {
        let uuid = match target {
            Target::Source(id) => id.uuid(),
            Target::Caption(id) => id.uuid(),
        };
        let tenth = self.interval / 10;
        let [.., last] = *uuid.as_bytes();
        tenth * (i32::from(last) - 128) / 128
    }
}

#[cfg(test)]
mod tests {
    use marquee_domain::{UserId, movie::Stamp};
    use uuid::Uuid;

    use super::*;

    fn hours(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    #[test]
    fn what_was_validated_is_due_an_interval_later_and_what_is_gone_never() {
        let mut schedule = Schedule::new(TimeDelta::hours(10));
        let movie = MovieId::new(Uuid::from_u128(1));
        let source = Target::Source(StreamSourceId::new(Uuid::from_u128(2)));
        let caption = Target::Caption(CaptionTrackId::new(Uuid::from_u128(3)));
        schedule.validated(movie, source, hours(0));
        schedule.validated(movie, caption, hours(1));
        assert_eq!(schedule.next_due(hours(8)), None);
        assert_eq!(schedule.next_due(hours(12)), Some((movie, source)));
        assert_eq!(schedule.next_due(hours(12)), Some((movie, caption)));
        assert_eq!(schedule.next_due(hours(99)), None, "taken until put back");

        schedule.postpone(movie, source, hours(13));
        schedule.validated(movie, caption, hours(12));
        assert_eq!(schedule.next_due(hours(13)), Some((movie, source)));

        let stamp = Stamp { updated_at: hours(14), updated_by: UserId::new(Uuid::nil()) };
        schedule.apply(movie, &MovieEvent::MovieRemoved { stamp });
        schedule.postpone(movie, source, hours(15));
        assert_eq!(schedule.next_due(hours(99)), None);
    }
}
