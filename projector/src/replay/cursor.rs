//! How far a replay has come.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use marquee_infra::event_log::RecordedEvent;
use serde::{Deserialize, Serialize};

use super::range::Range;

/// Kept by every sink with what it has written; enough to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub range: Range,
    pub started_at: DateTime<Utc>,
    /// The last position of the last page that was written whole.
    pub position: u64,
    #[serde(flatten)]
    pub tally: Tally,
}

/// What the written events add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub events: u64,
    pub events_by_type: BTreeMap<String, u64>,
    pub first_position: Option<u64>,
    pub last_position: Option<u64>,
}

impl Cursor {
    pub fn begin(range: Range, started_at: DateTime<Utc>) -> Self {
        Self { position: range.first - 1, range, started_at, tally: Tally::default() }
    }

    pub const fn is_done(&self) -> bool {
        self.position >= self.range.last
    }
}

impl Tally {
    pub fn add(&mut self, event: &RecordedEvent) {
        self.count(&event.event_type, event.position);
    }

    pub fn count(&mut self, event_type: &str, position: u64) {
        self.events += 1;
        if let Some(count) = self.events_by_type.get_mut(event_type) {
            *count += 1;
        } else {
            self.events_by_type.insert(event_type.to_owned(), 1);
        }
        self.first_position.get_or_insert(position);
        self.last_position = Some(position);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events", self.events)?;
        if let (Some(first), Some(last)) = (self.first_position, self.last_position) {
            write!(f, " at positions {first} to {last}")?;
        }
        Ok(())
    }
}
