//! What decides of one bucket while Redis is away: a governor that admits this process's share, and what is
//! owed to Redis since.

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

use crate::rate_limit::{decision::Verdict, quota::Quota};

type Governor =
    governor::RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

pub(super) struct StandIn {
    governor: Governor,
    account: Mutex<Account>,
}

#[derive(Debug, Default)]
struct Account {
    /// Admitted by the governor alone, and not charged yet.
    owed: u32,
    governed_at: Option<Instant>,
    near_until: Option<Instant>,
    exceeded_until: Option<Instant>,
}

/// Which thresholds the process has crossed by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::rate_limit) struct Crossed {
    pub(in crate::rate_limit) near: bool,
    pub(in crate::rate_limit) exceeded: bool,
}

impl StandIn {
    /// # Panics
    /// When the share allows a request a nanosecond or more.
    pub(super) fn new(share: Quota) -> Self {
        let per_window = governor::Quota::with_period(share.window / share.requests.get())
            .expect("a quota allows less than a request a nanosecond")
            .allow_burst(share.requests);
        Self {
            governor: governor::RateLimiter::direct(per_window).with_middleware(),
            account: Mutex::default(),
        }
    }

    /// It hears of what is admitted without it: when Redis goes away, nobody starts anew.
    pub(super) fn note(&self) {
        let _ = self.governor.check();
    }

    pub(super) fn decide(&self, share: Quota, now: Instant) -> (Verdict, Crossed) {
        let decision = self.governor.check();
        let mut account = self.account();
        match decision {
            Ok(allowed) => {
                account.owed = account.owed.saturating_add(1);
                account.governed_at = Some(now);
                let remaining = allowed.remaining_burst_capacity();
                let near = remaining <= share.requests.get() / 5
                    && crosses(&mut account.near_until, share.window, now);
                let resets_after = share.window / share.requests.get();
                let crossed = Crossed { near, exceeded: false };
                (Verdict::Admitted { remaining, resets_after }, crossed)
            }
            Err(not_until) => {
                let exceeded = crosses(&mut account.exceeded_until, share.window, now);
                let retry_after = not_until.wait_time_from(DefaultClock::default().now());
                (Verdict::Refused { retry_after }, Crossed { near: false, exceeded })
            }
        }
    }

    /// What was admitted without Redis; what is older than the window would no longer count.
    pub(super) fn owed(&self, share: Quota, now: Instant) -> u32 {
        let account = self.account();
        if account.governed_at.is_some_and(|at| now.duration_since(at) < share.window) {
            return account.owed.min(share.requests.get());
        }
        0
    }

    /// It has been charged.
    pub(super) fn settle(&self) {
        self.account().owed = 0;
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // Every change of it is complete in itself.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Once in a window.
fn crosses(until: &mut Option<Instant>, window: Duration, now: Instant) -> bool {
    let first = until.is_none_or(|until| now >= until);
    if first {
        *until = Some(now + window);
    }
    first
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("account", &self.account).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn share(requests: u32) -> Quota {
        Quota { requests: NonZeroU32::new(requests).unwrap(), window: WINDOW }
    }

    #[test]
    fn what_was_admitted_is_owed_once_while_it_counts_and_a_share_at_most() {
        let (stand_in, share, now) = (StandIn::new(share(10)), share(10), Instant::now());
        assert_eq!(stand_in.owed(share, now), 0);
        for _ in 0..3 {
            assert!(matches!(stand_in.decide(share, now).0, Verdict::Admitted { .. }));
        }
        assert_eq!(stand_in.owed(share, now), 3);
        assert_eq!(stand_in.owed(share, now + WINDOW), 0);
        stand_in.settle();
        assert_eq!(stand_in.owed(share, now), 0);
        stand_in.account().owed = 99;
        assert_eq!(stand_in.owed(share, now), 10);
    }

    #[test]
    fn a_process_crosses_each_threshold_once_in_a_window() {
        let (stand_in, share, now) = (StandIn::new(share(10)), share(10), Instant::now());
        let mut crossed = [0, 0];
        for _ in 0..20 {
            let (_, now) = stand_in.decide(share, now);
            crossed[0] += i32::from(now.near);
            crossed[1] += i32::from(now.exceeded);
        }
        assert_eq!(crossed, [1, 1]);
        assert!(stand_in.decide(share, now + WINDOW).1.exceeded, "the next window's");
    }
}
