//! The arithmetic of a sliding-window bucket. `bucket.lua` does the same inside Redis; what
//! follows from its answer is reckoned here.

use std::{num::NonZeroU32, time::Duration};

/// So many requests in any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub requests: NonZeroU32,
    pub window: Duration,
}

impl Quota {
    /// The part of one of so many processes, rounded up: nobody is shut out.
    pub(super) fn divided_by(self, instances: NonZeroU32) -> Self {
        let requests = self.requests.get().div_ceil(instances.get());
        Self { requests: NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN), ..self }
    }
}

/// A bucket as it stood when it was charged.
///
/// The window slides by weighing: of the previous fixed window's hits, as many count as its part
/// that still overlaps the last `window` of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bucket {
    pub(super) hits: u32,
    pub(super) previous_hits: u32,
    /// Since `window_start`; less than the window.
    pub(super) elapsed: Duration,
}

impl Bucket {
    /// How many more requests the quota has room for.
    pub(super) fn remaining(self, quota: Quota) -> u32 {
        let room = f64::from(quota.requests.get()) - self.weighed(quota, self.elapsed);
        // Not negative, and at most the quota, which is a u32.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let room = room.floor().max(0.0) as u32;
        room
    }

    /// Until the fixed window ends.
    pub(super) fn resets_after(self, quota: Quota) -> Duration {
        quota.window.saturating_sub(self.elapsed)
    }

    /// Until there is room for one request, if nobody else comes meanwhile.
    pub(super) fn retry_after(self, quota: Quota) -> Duration {
        // Redis reckons in whole milliseconds.
        self.exact_wait(quota) + Duration::from_millis(1)
    }

    fn exact_wait(self, quota: Quota) -> Duration {
        let limit = f64::from(quota.requests.get());
        let hits = f64::from(self.hits);
        if hits + 1.0 <= limit {
            // Room comes as the previous window's weight falls.
            wait(quota, f64::from(self.previous_hits), limit - hits - 1.0)
                .saturating_sub(self.elapsed)
        } else {
            // First the window has to end; then this window's hits are the previous ones.
            self.resets_after(quota) + wait(quota, hits, limit - 1.0)
        }
    }

    fn weighed(self, quota: Quota, elapsed: Duration) -> f64 {
        let overlap = 1.0 - elapsed.as_secs_f64() / quota.window.as_secs_f64();
        f64::from(self.hits) + f64::from(self.previous_hits) * overlap.clamp(0.0, 1.0)
    }
}

/// How far into a window `previous` hits weigh no more than `room`.
fn wait(quota: Quota, previous: f64, room: f64) -> Duration {
    if previous <= room {
        return Duration::ZERO;
    }
    quota.window.mul_f64((1.0 - room / previous).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(requests: u32, seconds: u64) -> Quota {
        Quota { requests: NonZeroU32::new(requests).unwrap(), window: Duration::from_secs(seconds) }
    }

    fn bucket(hits: u32, previous_hits: u32, elapsed_seconds: f64) -> Bucket {
        Bucket { hits, previous_hits, elapsed: Duration::from_secs_f64(elapsed_seconds) }
    }

    #[test]
    fn the_previous_window_counts_by_what_still_overlaps() {
        let quota = quota(600, 60);
        assert_eq!(bucket(0, 0, 0.0).remaining(quota), 600);
        assert_eq!(bucket(100, 600, 0.0).remaining(quota), 0);
        assert_eq!(bucket(100, 600, 30.0).remaining(quota), 200);
        assert_eq!(bucket(700, 0, 30.0).remaining(quota), 0);
    }

    #[test]
    fn after_retry_after_there_is_room_and_a_second_before_there_is_none() {
        for (requests, window) in [(1, 1), (3, 2), (10, 60), (600, 60), (7, 3600)] {
            let quota = quota(requests, window);
            for hits in [0, requests / 2, requests, requests * 2] {
                for previous in [0, requests / 2, requests, requests * 3] {
                    for part in 0..10 {
                        let elapsed = quota.window.mul_f64(f64::from(part) / 10.0);
                        let now = Bucket { hits, previous_hits: previous, elapsed };
                        if now.remaining(quota) > 0 {
                            continue;
                        }
                        let wait = now.retry_after(quota);
                        let sliver = Duration::from_millis(2);
                        assert!(after(now, quota, wait + sliver).remaining(quota) > 0, "{now:?}");
                        if let Some(early) = wait.checked_sub(sliver) {
                            let early = after(now, quota, early);
                            assert_eq!(early.remaining(quota), 0, "{now:?} {early:?}");
                        }
                    }
                }
            }
        }
    }

    /// The bucket when nobody came for a while.
    fn after(bucket: Bucket, quota: Quota, passed: Duration) -> Bucket {
        let elapsed = bucket.elapsed + passed;
        match elapsed.checked_sub(quota.window) {
            None => Bucket { elapsed, ..bucket },
            Some(into_next) if into_next < quota.window => {
                Bucket { hits: 0, previous_hits: bucket.hits, elapsed: into_next }
            }
            Some(_) => Bucket { hits: 0, previous_hits: 0, elapsed: Duration::ZERO },
        }
    }
}
