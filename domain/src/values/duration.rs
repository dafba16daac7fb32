//! How long a movie runs.

use serde::{Deserialize, Serialize};

use super::ValueError;

/// Whole minutes, 1 to 10,000 (data model: > 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct DurationMinutes(u32);

impl DurationMinutes {
    pub const MAX: u32 = 10_000;

    pub fn parse(minutes: u64) -> Result<Self, ValueError> {
        match u32::try_from(minutes) {
            Ok(minutes @ 1..=Self::MAX) => Ok(Self(minutes)),
            _ => Err(ValueError::OutOfRange { min: 1, max: Self::MAX }),
        }
    }

    pub const fn get(self) -> u32 {
        self.0
    }

    pub fn seconds(self) -> f64 {
        f64::from(self.0) * 60.0
    }

    /// How far a stream's measured length may be from this, in seconds: a minute, or one per cent
    /// of a long film. Whole minutes are all that the data model keeps.
    pub fn tolerance_seconds(self) -> f64 {
        (self.seconds() * 0.01).max(60.0)
    }

    /// Data model: "Duration must match associated stream metadata". To the millisecond, so that the
    /// tolerance itself is inside whatever binary fractions make of it.
    pub fn matches(self, measured_seconds: f64) -> bool {
        let milliseconds = |seconds: f64| (seconds * 1000.0).round();
        milliseconds((measured_seconds - self.seconds()).abs())
            <= milliseconds(self.tolerance_seconds())
    }
}
