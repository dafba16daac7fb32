//! One bucket as this process has it: what Redis said of it last, and what decides while Redis is away.

mod known;
mod stand_in;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use known::Known;
use stand_in::{Crossed, StandIn};

use super::{
    decision::Verdict,
    quota::Quota,
    shared::{Charge, Claim},
};

#[derive(Debug)]
pub(super) struct LocalBucket {
    /// This process's part of the quota.
    share: Quota,
    other_processes: u32,
    known: Mutex<Known>,
    stand_in: StandIn,
    /// Held while Redis is asked, so that a burst takes one lot and not one each.
    pub(super) charging: tokio::sync::Mutex<()>,
}

impl LocalBucket {
    /// # Panics
    /// When the share allows a request a nanosecond or more.
    pub(super) fn new(share: Quota, other_processes: u32) -> Self {
        Self {
            share,
            other_processes,
            known: Mutex::default(),
            stand_in: StandIn::new(share),
            charging: tokio::sync::Mutex::new(()),
        }
    }

    /// What follows from what is known, without asking Redis.
    pub(super) fn decide(&self, now: Instant) -> Option<Verdict> {
        let verdict = self.known().decide(self.share.window, now, self.other_processes);
        if let Some(Verdict::Admitted { .. }) = verdict {
            self.stand_in.note();
        }
        verdict
    }

    /// That all are refused, when that is known. Nothing is spent.
    pub(super) fn refusal(&self, now: Instant) -> Option<Verdict> {
        self.known().refusal(now)
    }

    /// What to ask Redis for.
    pub(super) fn claim(&self, now: Instant) -> Claim {
        let claim = self.known().claim(self.share.window, now);
        Claim { owed: self.stand_in.owed(self.share, now), ..claim }
    }

    /// Takes in what Redis said; the first hit that it granted is this request's.
    pub(super) fn receive(&self, charge: Charge, asked_at: Instant, now: Instant) -> Verdict {
        self.stand_in.settle();
        *self.known() = Known::of(charge, asked_at, now);
        let Some(unspent) = charge.granted.checked_sub(1) else {
            return Verdict::Refused { retry_after: charge.retry_in };
        };
        self.stand_in.note();
        Verdict::Admitted {
            remaining: unspent.saturating_add(charge.left),
            resets_after: charge.refills_in,
        }
    }

    /// What the governor says: all there is while Redis is away.
    pub(super) fn govern(&self, now: Instant) -> (Verdict, Crossed) {
        self.stand_in.decide(self.share, now)
    }

    /// What is charged to the shared bucket and was not spent.
    pub(super) fn unspent(&self, now: Instant) -> u32 {
        self.known().unspent(self.share.window, now)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change of it is complete in itself.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{
        known::{
            FIRST_LOT,
            tests::{WINDOW, granted},
        },
        *,
    };

    fn bucket() -> LocalBucket {
        LocalBucket::new(Quota { requests: NonZeroU32::new(10).unwrap(), window: WINDOW }, 0)
    }

    fn remaining(verdict: Verdict) -> Option<u32> {
        match verdict {
            Verdict::Admitted { remaining, .. } => Some(remaining),
            Verdict::Refused { .. } => None,
        }
    }

    #[test]
    fn what_was_admitted_without_redis_is_charged_when_it_is_back() {
        let (bucket, now) = (bucket(), Instant::now());
        for _ in 0..3 {
            assert!(matches!(bucket.govern(now).0, Verdict::Admitted { .. }));
        }
        assert_eq!(bucket.claim(now), Claim { owed: 3, ..Claim::of(FIRST_LOT) });
        bucket.receive(granted(1, 6), now, now);
        assert_eq!(bucket.claim(now).owed, 0);
    }

    #[test]
    fn what_was_admitted_with_redis_is_not_admitted_again_when_it_goes_away() {
        let (bucket, now) = (bucket(), Instant::now());
        bucket.receive(granted(8, 2), now, now);
        while bucket.decide(now).is_some() {}
        let verdicts = [(); 3].map(|()| remaining(bucket.govern(now).0));
        assert_eq!(verdicts, [Some(1), Some(0), None]);
    }
}
