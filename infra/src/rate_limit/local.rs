//! What this process knows of one bucket: the lot it is spending, the refusal that still holds, and
//! a governor for when Redis is away.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

use super::{bucket::Quota, limiter::Verdict, shared::Lot};

/// How long a refusal is repeated without asking Redis again: a bucket that an operator has reset
/// is open again after this.
const REFUSAL_MEMORY: Duration = Duration::from_secs(1);

type Governor =
    governor::RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

pub(super) struct LocalBucket {
    governor: Governor,
    lease: Mutex<Lease>,
    /// Held while Redis is asked, so that a burst takes one lot and not one each.
    pub(super) charging: tokio::sync::Mutex<()>,
}

impl fmt::Debug for LocalBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBucket").field("lease", &self.lease).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Lease {
    spendable: u32,
    /// What was left in the shared bucket beside the lot.
    left_in_bucket: u32,
    window_ends: Option<Instant>,
    refusal: Option<Refusal>,
    reported_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    until: Instant,
    ask_again_at: Instant,
}

impl LocalBucket {
    pub(super) fn new(share: Quota) -> Self {
        let per_window = governor::Quota::with_period(share.window / share.requests.get())
            .expect("a quota allows less than a request a nanosecond")
            .allow_burst(share.requests);
        Self {
            governor: governor::RateLimiter::direct(per_window).with_middleware(),
            lease: Mutex::default(),
            charging: tokio::sync::Mutex::new(()),
        }
    }

    /// The refusal that still holds.
    pub(super) fn refusal(&self, now: Instant) -> Option<Verdict> {
        let refusal = self.lease().refusal.filter(|refusal| now < refusal.ask_again_at)?;
        Some(Verdict::Refused { retry_after: refusal.until.saturating_duration_since(now) })
    }

    /// What the governor says: all there is while Redis is away.
    pub(super) fn govern(&self, share: Quota) -> Verdict {
        match self.governor.check() {
            Ok(state) => Verdict::Admitted {
                remaining: state.remaining_burst_capacity(),
                resets_after: share.window,
            },
            Err(not_until) => Verdict::Refused {
                retry_after: not_until.wait_time_from(DefaultClock::default().now()),
            },
        }
    }

    /// One hit of the lot, if there is one.
    pub(super) fn spend(&self, now: Instant) -> Option<Verdict> {
        let mut lease = self.lease();
        let ends = lease.window_ends.filter(|ends| now < *ends)?;
        lease.spendable = lease.spendable.checked_sub(1)?;
        Some(Verdict::Admitted {
            remaining: lease.spendable.saturating_add(lease.left_in_bucket),
            resets_after: ends.saturating_duration_since(now),
        })
    }

    /// Takes in what Redis gave; the lot's first hit is this request's.
    pub(super) fn receive(&self, lot: Lot, quota: Quota, now: Instant) -> Verdict {
        let mut lease = self.lease();
        let resets_after = lot.bucket.resets_after(quota);
        lease.left_in_bucket = lot.bucket.remaining(quota);
        lease.window_ends = Some(now + resets_after);
        let Some(spendable) = lot.granted.checked_sub(1) else {
            lease.spendable = 0;
            let retry_after = lot.bucket.retry_after(quota);
            lease.refusal = Some(Refusal {
                until: now + retry_after,
                ask_again_at: now + retry_after.min(REFUSAL_MEMORY),
            });
            return Verdict::Refused { retry_after };
        };
        lease.spendable = spendable;
        lease.refusal = None;
        Verdict::Admitted {
            remaining: spendable.saturating_add(lease.left_in_bucket),
            resets_after,
        }
    }

    /// Whether this is the window's first refusal, which is the one to report.
    pub(super) fn crosses(&self, quota: Quota, now: Instant) -> bool {
        let mut lease = self.lease();
        let first = lease.reported_until.is_none_or(|until| now >= until);
        if first {
            lease.reported_until = Some(now + quota.window);
        }
        first
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        // Every change to a lease is complete in itself.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
