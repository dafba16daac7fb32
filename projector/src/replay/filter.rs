//! Which events are asked for: what MySQL looks for, and what only the events' times decide.

use chrono::{DateTime, Utc};
use marquee_infra::event_log::{EventFilter, RecordedEvent};

use super::request::{Bound, Request};

#[derive(Debug, Clone)]
pub struct Filter {
    pub in_log: EventFilter,
    since: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
}

impl Filter {
    pub fn new(request: &Request) -> Self {
        let time = |bound| match bound {
            Some(Bound::Time(time)) => Some(time),
            Some(Bound::Position(_)) | None => None,
        };
        Self {
            in_log: EventFilter {
                types: request.types.iter().map(|name| format!("marquee.movie.{name}")).collect(),
                movies: request.movies.clone(),
            },
            since: time(request.from),
            before: time(request.to),
        }
    }

    /// The range is a little wider than the times, because positions are not in their order.
    pub fn takes(&self, event: &RecordedEvent) -> bool {
        self.since.is_none_or(|since| event.recorded_at >= since)
            && self.before.is_none_or(|before| event.recorded_at < before)
    }
}
