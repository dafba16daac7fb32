//! What this process knows of one bucket: the lot that it spends, or the refusal that still holds; and a
//! governor, which decides while Redis is away.

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

use super::{
    limiter::Verdict,
    quota::Quota,
    shared::{Charge, Claim},
};

/// Of a key that has not been heard of lately: what a person's app asks for when it opens a page.
const FIRST_LOT: u32 = 8;
/// A lot that is not spent by then lapses, and is given back. Never longer than the window.
const LOT_LASTS: Duration = Duration::from_secs(5);
/// A refusal is asked about again after this, when not before: a bucket that an operator has reset is
/// open everywhere by then.
const REFUSAL_LASTS: Duration = Duration::from_secs(1);

type Governor =
    governor::RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

pub(super) struct LocalBucket {
    governor: Governor,
    state: Mutex<State>,
    /// Held while Redis is asked, so that a burst takes one lot and not one each.
    pub(super) charging: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    known: Known,
    /// Admitted by the governor alone, and not charged yet.
    owed: u32,
    governed_at: Option<Instant>,
    near_until: Option<Instant>,
    exceeded_until: Option<Instant>,
}

#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Lot(Lot),
    Refusal {
        until: Instant,
        ask_again_at: Instant,
    },
}

#[derive(Debug, Clone, Copy)]
struct Lot {
    granted: u32,
    unspent: u32,
    /// What was left in the shared bucket beside the lot.
    left: u32,
    slot: u64,
    taken_at: Instant,
    refills_at: Instant,
}

/// Which thresholds the process has crossed by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Crossed {
    pub(super) near: bool,
    pub(super) exceeded: bool,
}

impl LocalBucket {
    /// # Panics
    /// When the share allows a request a nanosecond or more.
    pub(super) fn new(share: Quota) -> Self {
        let per_window = governor::Quota::with_period(share.window / share.requests.get())
            .expect("a quota allows less than a request a nanosecond")
            .allow_burst(share.requests);
        Self {
            governor: governor::RateLimiter::direct(per_window).with_middleware(),
            state: Mutex::default(),
            charging: tokio::sync::Mutex::new(()),
        }
    }

    /// What follows from what is known, without asking Redis.
    pub(super) fn decide(
        &self,
        window: Duration,
        now: Instant,
        other_processes: u32,
    ) -> Option<Verdict> {
        let verdict = match &mut self.state().known {
            Known::Refusal { until, ask_again_at } if now < *ask_again_at => {
                Some(Verdict::Refused { retry_after: until.saturating_duration_since(now) })
            }
            Known::Lot(lot) if lot.is_good(window, now) => lot.spend(now, other_processes),
            Known::Nothing | Known::Refusal { .. } | Known::Lot(_) => None,
        };
        if let Some(Verdict::Admitted { .. }) = verdict {
            self.note();
        }
        verdict
    }

    /// What to ask Redis for. The sooner a lot was spent, the larger the next one.
    pub(super) fn claim(&self, share: Quota, now: Instant) -> Claim {
        let state = self.state();
        let mut claim = match state.known {
            Known::Nothing => Claim::of(FIRST_LOT),
            Known::Refusal { .. } => Claim::of(1),
            Known::Lot(lot) if lot.is_good(share.window, now) => {
                Claim::of(lot.granted.saturating_mul(2))
            }
            Known::Lot(lot) => Claim {
                returned: lot.unspent,
                returned_to: lot.slot,
                ..Claim::of((lot.granted - lot.unspent).max(1))
            },
        };
        // What is older than the window would no longer count.
        if state.governed_at.is_some_and(|at| now.duration_since(at) < share.window) {
            claim.owed = state.owed.min(share.requests.get());
        }
        claim
    }

    /// Takes in what Redis said; the lot's first hit is this request's. `now` is after its answer, so that
    /// a refusal ends here no sooner than there.
    pub(super) fn receive(&self, charge: Charge, asked_at: Instant, now: Instant) -> Verdict {
        let mut state = self.state();
        state.owed = 0;
        let Some(unspent) = charge.granted.checked_sub(1) else {
            let ask_again_at = now + charge.retry_in.min(REFUSAL_LASTS);
            state.known = Known::Refusal { until: now + charge.retry_in, ask_again_at };
            return Verdict::Refused { retry_after: charge.retry_in };
        };
        state.known = Known::Lot(Lot {
            granted: charge.granted,
            unspent,
            left: charge.left,
            slot: charge.slot,
            taken_at: asked_at,
            refills_at: now + charge.refills_in,
        });
        drop(state);
        self.note();
        Verdict::Admitted {
            remaining: unspent.saturating_add(charge.left),
            resets_after: charge.refills_in,
        }
    }

    /// What the governor says: all there is while Redis is away.
    pub(super) fn govern(&self, share: Quota, now: Instant) -> (Verdict, Crossed) {
        let decision = self.governor.check();
        let mut state = self.state();
        match decision {
            Ok(allowed) => {
                state.owed = state.owed.saturating_add(1);
                state.governed_at = Some(now);
                let remaining = allowed.remaining_burst_capacity();
                let near = remaining <= share.requests.get() / 5
                    && crosses(&mut state.near_until, share.window, now);
                let resets_after = share.window / share.requests.get();
                let crossed = Crossed { near, exceeded: false };
                (Verdict::Admitted { remaining, resets_after }, crossed)
            }
            Err(not_until) => {
                let exceeded = crosses(&mut state.exceeded_until, share.window, now);
                let retry_after = not_until.wait_time_from(DefaultClock::default().now());
                (Verdict::Refused { retry_after }, Crossed { near: false, exceeded })
            }
        }
    }

    /// What is charged to the shared bucket and was not spent.
    pub(super) fn unspent(&self, window: Duration, now: Instant) -> u32 {
        match self.state().known {
            // For so long it certainly counts there.
            Known::Lot(lot) if now < lot.taken_at + window => lot.unspent,
            Known::Lot(_) | Known::Nothing | Known::Refusal { .. } => 0,
        }
    }

    /// The governor hears of what is admitted without it: when Redis goes away, nobody starts anew.
    fn note(&self) {
        let _ = self.governor.check();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of it is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lot {
    fn is_good(&self, window: Duration, now: Instant) -> bool {
        now < self.taken_at + LOT_LASTS.min(window)
    }

    fn spend(&mut self, now: Instant, other_processes: u32) -> Option<Verdict> {
        self.unspent = self.unspent.checked_sub(1)?;
        // The others may have been as busy since then, and no more is promised than there is.
        let spent_since = self.granted - self.unspent - 1;
        let by_others = spent_since.saturating_mul(other_processes);
        Some(Verdict::Admitted {
            remaining: self.unspent.saturating_add(self.left).saturating_sub(by_others),
            resets_after: self.refills_at.saturating_duration_since(now),
        })
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

impl fmt::Debug for LocalBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBucket").field("state", &self.state).finish_non_exhaustive()
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

    fn granted(granted: u32, left: u32) -> Charge {
        Charge {
            granted,
            left,
            slot: 7,
            refills_in: WINDOW,
            retry_in: Duration::from_secs(30),
            near: false,
            exceeded: false,
        }
    }

    fn remaining(verdict: Option<Verdict>) -> Option<u32> {
        match verdict {
            Some(Verdict::Admitted { remaining, .. }) => Some(remaining),
            Some(Verdict::Refused { .. }) | None => None,
        }
    }

    #[test]
    fn a_lot_that_is_spent_in_time_is_followed_by_a_larger_one_and_else_its_rest_is_given_back() {
        let (bucket, share, now) = (LocalBucket::new(share(100)), share(100), Instant::now());
        assert_eq!(bucket.claim(share, now), Claim::of(FIRST_LOT));
        bucket.receive(granted(4, 90), now, now);
        assert_eq!(
            [(); 4].map(|()| remaining(bucket.decide(WINDOW, now, 0))),
            [Some(92), Some(91), Some(90), None]
        );
        assert_eq!(bucket.claim(share, now), Claim::of(8));

        bucket.receive(granted(8, 82), now, now);
        // The others are taken to spend as fast: two of them, one hit each.
        assert_eq!(remaining(bucket.decide(WINDOW, now, 2)), Some(6 + 82 - 2));
        let later = now + LOT_LASTS;
        assert_eq!(bucket.decide(WINDOW, later, 0), None);
        assert_eq!(bucket.unspent(WINDOW, later), 6);
        let rest = Claim { returned: 6, returned_to: 7, ..Claim::of(2) };
        assert_eq!(bucket.claim(share, later), rest);
        // Redis could not be asked: it is given back with the next call.
        assert_eq!(bucket.claim(share, later), rest);
        bucket.receive(granted(2, 86), later, later);
        assert_eq!(bucket.claim(share, later).returned, 0);
        assert_eq!((bucket.unspent(WINDOW, later), bucket.unspent(WINDOW, later + WINDOW)), (1, 0));
    }

    #[test]
    fn a_lot_lasts_no_longer_than_its_window() {
        let (bucket, now, second) =
            (LocalBucket::new(share(100)), Instant::now(), Duration::from_secs(1));
        bucket.receive(granted(4, 90), now, now);
        assert_eq!(bucket.decide(second, now + second, 0), None);
    }

    #[test]
    fn a_refusal_is_repeated_until_it_is_time_to_ask_again() {
        let (bucket, now) = (LocalBucket::new(share(100)), Instant::now());
        bucket.receive(granted(0, 0), now, now);
        let after = |passed| bucket.decide(WINDOW, now + passed, 0);
        let half = REFUSAL_LASTS / 2;
        assert_eq!(
            after(half),
            Some(Verdict::Refused { retry_after: Duration::from_secs(30).saturating_sub(half) })
        );
        assert_eq!(after(REFUSAL_LASTS), None);
        assert_eq!(bucket.claim(share(100), now), Claim::of(1));
    }

    #[test]
    fn what_was_admitted_without_redis_is_owed_once_while_it_counts_and_a_share_at_most() {
        let (bucket, share, now) = (LocalBucket::new(share(10)), share(10), Instant::now());
        for _ in 0..3 {
            assert!(matches!(bucket.govern(share, now).0, Verdict::Admitted { .. }));
        }
        assert_eq!(bucket.claim(share, now), Claim { owed: 3, ..Claim::of(FIRST_LOT) });
        assert_eq!(bucket.claim(share, now + WINDOW).owed, 0);
        bucket.receive(granted(1, 6), now, now);
        assert_eq!(bucket.claim(share, now).owed, 0);
        bucket.state().owed = 99;
        assert_eq!(bucket.claim(share, now).owed, 10);
    }

    #[test]
    fn what_was_admitted_with_redis_is_not_admitted_again_when_it_goes_away() {
        let (bucket, share, now) = (LocalBucket::new(share(10)), share(10), Instant::now());
        bucket.receive(granted(8, 2), now, now);
        while bucket.decide(WINDOW, now, 0).is_some() {}
        let verdicts = [(); 3].map(|()| remaining(Some(bucket.govern(share, now).0)));
        assert_eq!(verdicts, [Some(1), Some(0), None]);
    }

    #[test]
    fn without_redis_a_process_crosses_each_threshold_once_in_a_window() {
        let (bucket, share, now) = (LocalBucket::new(share(10)), share(10), Instant::now());
        let mut crossed = [0, 0];
        for _ in 0..20 {
            let (_, now) = bucket.govern(share, now);
            crossed[0] += i32::from(now.near);
            crossed[1] += i32::from(now.exceeded);
        }
        assert_eq!(crossed, [1, 1]);
        assert!(bucket.govern(share, now + WINDOW).1.exceeded, "the next window's");
    }
}
