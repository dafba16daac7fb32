//! A rate that is not exceeded, so that a replay leaves MySQL to the services.

use std::num::NonZeroU32;

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

/// Slices so small that ten of them are a second's: the rate is smooth.
const SLICES_PER_SECOND: u32 = 10;
/// What is written at once without a rate to keep.
const UNTHROTTLED_SLICE: usize = 1_000;

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

#[derive(Debug)]
pub struct Throttle<C: Clock = DefaultClock> {
    limiter: Option<(Limiter<C>, NonZeroU32)>,
    clock: C,
}

impl Throttle {
    pub fn new(events_per_second: Option<NonZeroU32>) -> Self {
        Self::with_clock(events_per_second, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Throttle<C> {
    pub fn with_clock(events_per_second: Option<NonZeroU32>, clock: C) -> Self {
        let limiter = events_per_second.map(|rate| {
            let slice = NonZeroU32::new(rate.get() / SLICES_PER_SECOND).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_second(rate).allow_burst(slice);
            (RateLimiter::direct_with_clock(quota, clock.clone()), slice)
        });
        Self { limiter, clock }
    }
}

impl<C: Clock> Throttle<C> {
    /// How many events may be asked for at once, at most.
    pub fn slice(&self) -> usize {
        self.limiter.as_ref().map_or(UNTHROTTLED_SLICE, |(_, slice)| slice.get() as usize)
    }

    /// Takes the events (at most a slice) from the rate, or says how long they have to wait.
    pub fn take(&self, events: usize) -> Result<(), std::time::Duration> {
        let events = u32::try_from(events).ok().and_then(NonZeroU32::new);
        let (Some((limiter, slice)), Some(events)) = (&self.limiter, events) else { return Ok(()) };
        match limiter.check_n(events.min(*slice)) {
            // Not more than the slice: there is always room for it some time.
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(too_early)) => {
                Err(too_early.earliest_possible().duration_since(self.clock.now()).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    /// Takes slices for `seconds` of a clock that only goes on when there is a wait.
    fn taken_in(rate: u32, seconds: u64) -> usize {
        let clock = FakeRelativeClock::default();
        let throttle = Throttle::with_clock(NonZeroU32::new(rate), clock.clone());
        let begin = clock.now();
        let mut taken = 0;
        loop {
            match throttle.take(throttle.slice()) {
                Ok(()) => taken += throttle.slice(),
                Err(wait) => {
                    assert!(wait <= Duration::from_secs(1), "{wait:?}");
                    clock.advance(wait);
                    if Duration::from(clock.now().duration_since(begin)).as_secs() >= seconds {
                        return taken;
                    }
                }
            }
        }
    }

    #[test]
    fn a_rate_is_kept_and_not_exceeded() {
        for rate in [1, 7, 10, 995, 100_000] {
            let slice = (rate as usize / 10).max(1);
            let taken = taken_in(rate, 20);
            let allowed = rate as usize * 20;
            assert!(taken <= allowed + slice, "{rate}: {taken}");
            assert!(taken + 2 * slice >= allowed, "{rate}: {taken}");
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let throttle = Throttle::new(None);
        for _ in 0..1_000 {
            assert_eq!(throttle.take(throttle.slice()), Ok(()));
        }
    }
}
