//! When viewers may see a movie.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ValueError;

/// From `start` (inclusive) to `end` (exclusive); `end` is always later (data model: "> start").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AvailabilityWindow {
    #[serde(rename = "availability_start")]
    start: DateTime<Utc>,
    #[serde(rename = "availability_end")]
    end: DateTime<Utc>,
}

impl AvailabilityWindow {
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, ValueError> {
        if end > start { Ok(Self { start, end }) } else { Err(ValueError::EndNotAfterStart) }
    }

    pub const fn start(self) -> DateTime<Utc> {
        self.start
    }

    pub const fn end(self) -> DateTime<Utc> {
        self.end
    }

    pub fn contains(self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }
}
