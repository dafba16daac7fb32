//! A circuit breaker for a server that many requests would otherwise wait for in vain.
//!
//! It is open while the server is known to be away: then one caller in a while tries it, and the others
//! are told at once to do without.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// All of a process's callers share one.
#[derive(Debug)]
pub struct Breaker {
    trial_interval: Duration,
    started: Instant,
    /// Milliseconds since `started` until which it is open; 0: closed.
    open_until: AtomicU64,
}

impl Breaker {
    pub fn closed(trial_interval: Duration) -> Self {
        Self { trial_interval, started: Instant::now(), open_until: AtomicU64::new(0) }
    }

    /// The server is away. True: that is news.
    pub fn open(&self) -> bool {
        self.open_until.swap(self.after(self.trial_interval), Ordering::Relaxed) == 0
    }

    /// The server is there. True: that is news.
    pub fn close(&self) -> bool {
        self.open_until.swap(0, Ordering::Relaxed) != 0
    }

    pub fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) != 0
    }

    /// When the time is over, one caller gets through and keeps it open for the others.
    pub fn lets_through(&self) -> bool {
        let until = self.open_until.load(Ordering::Relaxed);
        until == 0
            || (self.after(Duration::ZERO) >= until
                && self
                    .open_until
                    .compare_exchange(
                        until,
                        self.after(self.trial_interval),
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    )
                    .is_ok())
    }

    fn after(&self, delay: Duration) -> u64 {
        // Never 0, which means closed.
        u64::try_from((self.started.elapsed() + delay).as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_breaker_lets_nobody_through_until_a_trial_is_due() {
        let patient = Breaker::closed(Duration::from_secs(3_600));
        assert!(patient.lets_through() && !patient.is_open());
        assert!(patient.open() && !patient.open());
        assert!(patient.is_open() && !patient.lets_through());
        assert!(patient.close() && !patient.close());
        assert!(patient.lets_through());
    }

    #[test]
    fn one_caller_tries_and_keeps_it_open_for_the_others() {
        let breaker = Breaker { trial_interval: Duration::from_secs(3_600), ..due() };
        assert!(breaker.lets_through());
        assert!(!breaker.lets_through());
        assert!(breaker.is_open());
    }

    fn due() -> Breaker {
        let breaker = Breaker::closed(Duration::ZERO);
        breaker.open();
        breaker
    }
}
