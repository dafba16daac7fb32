//! What Redis said last of one bucket: the lot that this process spends, or the refusal that still holds.

use std::time::{Duration, Instant};

use crate::rate_limit::{
    decision::Verdict,
    shared::{Charge, Claim},
};

/// Of a key that has not been heard of lately: what a person's app asks for when it opens a page, a list and
/// the movies on it.
pub(super) const FIRST_LOT: u32 = 16;
/// A lot that is not spent by then lapses, and is given back. Never longer than the window.
const LOT_LASTS: Duration = Duration::from_secs(5);
/// A refusal is asked about again after this, when not before: a bucket that an operator has reset is
/// open everywhere by then.
const REFUSAL_LASTS: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) enum Known {
    #[default]
    Nothing,
    Lot(Lot),
    Refusal {
        until: Instant,
        ask_again_at: Instant,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Lot {
    granted: u32,
    unspent: u32,
    /// What was left in the shared bucket beside the lot.
    left: u32,
    slot: u64,
    taken_at: Instant,
    refills_at: Instant,
}

impl Known {
    /// After a charge of which this request has the first hit. `now` is after Redis's answer, so that a
    /// refusal ends here no sooner than there.
    pub(super) fn of(charge: Charge, asked_at: Instant, now: Instant) -> Self {
        match charge.granted.checked_sub(1) {
            Some(unspent) => Self::Lot(Lot {
                granted: charge.granted,
                unspent,
                left: charge.left,
                slot: charge.slot,
                taken_at: asked_at,
                refills_at: now + charge.refills_in,
            }),
            None => Self::Refusal {
                until: now + charge.retry_in,
                ask_again_at: now + charge.retry_in.min(REFUSAL_LASTS),
            },
        }
    }

    /// What follows from it for one more request; `None` when Redis has to be asked.
    pub(super) fn decide(
        &mut self,
        window: Duration,
        now: Instant,
        other_processes: u32,
    ) -> Option<Verdict> {
        match self {
            Self::Lot(lot) if lot.is_good(window, now) => lot.spend(now, other_processes),
            known => known.refusal(now),
        }
    }

    pub(super) fn refusal(&self, now: Instant) -> Option<Verdict> {
        match self {
            Self::Refusal { until, ask_again_at } if now < *ask_again_at => {
                Some(Verdict::Refused { retry_after: until.saturating_duration_since(now) })
            }
            Self::Nothing | Self::Lot(_) | Self::Refusal { .. } => None,
        }
    }

    /// What to ask Redis for. The sooner a lot was spent, the larger the next one.
    pub(super) fn claim(&self, window: Duration, now: Instant) -> Claim {
        match self {
            Self::Nothing => Claim::of(FIRST_LOT),
            Self::Refusal { .. } => Claim::of(1),
            Self::Lot(lot) if lot.is_good(window, now) => Claim::of(lot.granted.saturating_mul(2)),
            Self::Lot(lot) => Claim {
                returned: lot.unspent,
                returned_to: lot.slot,
                ..Claim::of((lot.granted - lot.unspent).max(1))
            },
        }
    }

    /// What is charged to the shared bucket and was not spent.
    pub(super) fn unspent(&self, window: Duration, now: Instant) -> u32 {
        match self {
            // For so long it certainly counts there.
            Self::Lot(lot) if now < lot.taken_at + window => lot.unspent,
            Self::Lot(_) | Self::Nothing | Self::Refusal { .. } => 0,
        }
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const WINDOW: Duration = Duration::from_secs(60);

    pub(in super::super) fn granted(granted: u32, left: u32) -> Charge {
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
        let now = Instant::now();
        assert_eq!(Known::Nothing.claim(WINDOW, now), Claim::of(FIRST_LOT));
        let mut known = Known::of(granted(4, 90), now, now);
        assert_eq!(
            [(); 4].map(|()| remaining(known.decide(WINDOW, now, 0))),
            [Some(92), Some(91), Some(90), None]
        );
        assert_eq!(known.claim(WINDOW, now), Claim::of(8));

        let mut known = Known::of(granted(8, 82), now, now);
        // The others are taken to spend as fast: two of them, one hit each.
        assert_eq!(remaining(known.decide(WINDOW, now, 2)), Some(6 + 82 - 2));
        let later = now + LOT_LASTS;
        assert_eq!(known.decide(WINDOW, later, 0), None);
        assert_eq!(known.unspent(WINDOW, later), 6);
        let rest = Claim { returned: 6, returned_to: 7, ..Claim::of(2) };
        assert_eq!(known.claim(WINDOW, later), rest);
        // Redis could not be asked: it is given back with the next call.
        assert_eq!(known.claim(WINDOW, later), rest);
        let known = Known::of(granted(2, 86), later, later);
        assert_eq!(known.claim(WINDOW, later).returned, 0);
        assert_eq!((known.unspent(WINDOW, later), known.unspent(WINDOW, later + WINDOW)), (1, 0));
    }

    #[test]
    fn a_lot_lasts_no_longer_than_its_window() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(Known::of(granted(4, 90), now, now).decide(second, now + second, 0), None);
    }

    #[test]
    fn a_refusal_is_repeated_until_it_is_time_to_ask_again() {
        let now = Instant::now();
        let mut known = Known::of(granted(0, 0), now, now);
        let half = REFUSAL_LASTS / 2;
        let left = Duration::from_secs(30).saturating_sub(half);
        let refused = Some(Verdict::Refused { retry_after: left });
        assert_eq!(known.decide(WINDOW, now + half, 0), refused);
        assert_eq!(known.refusal(now + half), refused);
        assert_eq!(known.decide(WINDOW, now + REFUSAL_LASTS, 0), None);
        assert_eq!(known.refusal(now + REFUSAL_LASTS), None);
        assert_eq!(known.claim(WINDOW, now), Claim::of(1));
    }
}
