//! How much is allowed, and what follows from it for one process.

use std::{num::NonZeroU32, time::Duration};

/// So many requests in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub requests: NonZeroU32,
    pub window: Duration,
}

/// Hits are counted by slots, so many in a window: a hit counts for the window and up to a slot more.
const SLOTS: u128 = 25;

/// All lots that are out at one time hold at most this part of the quota together.
const SLACK_DIVISOR: u32 = 20;

impl Quota {
    /// What governors can count by: less than a request a nanosecond.
    pub(super) fn assert_sane(self) {
        assert!(
            self.window / self.requests.get() > Duration::ZERO,
            "a quota allows less than a request a nanosecond"
        );
    }

    /// So many times as much, or as much as can be counted.
    pub(super) fn times(self, factor: NonZeroU32) -> Self {
        Self { requests: self.requests.saturating_mul(factor), ..self }
    }

    pub(super) fn window_ms(self) -> u64 {
        u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn slot_ms(self) -> u64 {
        Self::slot_of(self.window)
    }

    pub(super) fn slot_of(window: Duration) -> u64 {
        u64::try_from(window.as_millis() / SLOTS).unwrap_or(u64::MAX).max(1)
    }

    /// The part of one of so many processes, rounded up: nobody is shut out.
    pub(super) fn divided_by(self, instances: NonZeroU32) -> Self {
        let requests = self.requests.get().div_ceil(instances.get());
        Self { requests: NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN), ..self }
    }
}

/// Into how many lots the room that is left is divided.
pub(super) const fn lots_in_room(instances: NonZeroU32) -> u32 {
    instances.get().saturating_mul(SLACK_DIVISOR)
}
