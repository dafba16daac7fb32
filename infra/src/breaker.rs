//! A circuit breaker for a server that many requests would otherwise wait for in vain.
//!
//! It is open while the server is known to be away: then one caller in a while tries it, and the others
//! are told at once to do without.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// All of a process's callers share one.
#[derive(Debug)]
pub struct Breaker {
    trial_interval: Duration,
    /// So many in a row open it.
    failures_to_open: u32,
    failures: AtomicU32,
    started: Instant,
    /// Milliseconds since `started` until which nobody tries; 0: closed.
    open_until: AtomicU64,
}

impl Breaker {
    /// The first failure opens it.
    pub fn closed(trial_interval: Duration) -> Self {
        Self {
            trial_interval,
            failures_to_open: 1,
            failures: AtomicU32::new(0),
            started: Instant::now(),
            open_until: AtomicU64::new(0),
        }
    }

    /// For a server whose single failures are no news: so many in a row open it.
    #[must_use]
    pub fn opening_after(self, failures_to_open: u32) -> Self {
        Self { failures_to_open, ..self }
    }

    /// The server was tried in vain. True: that opens it, which is news.
    pub fn failed(&self) -> bool {
        let before = self.failures.fetch_add(1, Ordering::Relaxed);
        before.saturating_add(1) >= self.failures_to_open && self.open()
    }

    /// The server is away, whatever was tried. True: that is news.
    pub fn open(&self) -> bool {
        self.open_until.swap(self.after(self.trial_interval), Ordering::Relaxed) == 0
    }

    /// The server has answered. True: that closes it, which is news.
    pub fn succeeded(&self) -> bool {
        // Looked at before it is written: all callers come by here, and nearly always it is closed.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        self.is_open() && self.open_until.swap(0, Ordering::Relaxed) != 0
    }

    pub fn is_open(&self) -> bool {
        self.open_until.load(Ordering::Relaxed) != 0
    }

    /// Whether it is open, and no trial is due.
    pub fn is_waiting(&self) -> bool {
        self.after(Duration::ZERO) < self.open_until.load(Ordering::Relaxed)
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
        assert!(patient.succeeded() && !patient.succeeded());
        assert!(patient.lets_through());
    }

    #[test]
    fn one_caller_tries_and_keeps_it_open_for_the_others() {
        let breaker = Breaker { trial_interval: Duration::from_secs(3_600), ..due() };
        assert!(breaker.lets_through());
        assert!(!breaker.lets_through());
        assert!(breaker.is_open());
    }

    #[test]
    fn failures_in_a_row_open_it_and_every_change_is_told_once() {
        let breaker = Breaker::closed(Duration::from_secs(3_600)).opening_after(3);
        assert!(breaker.lets_through() && breaker.lets_through() && !breaker.is_waiting());
        assert!(!breaker.failed() && !breaker.failed() && !breaker.succeeded());
        assert!(!breaker.failed() && !breaker.failed() && breaker.lets_through());
        assert!(breaker.failed());
        assert!(!breaker.failed());
        assert!(breaker.is_waiting() && !breaker.lets_through());
        // The first millisecond, which is over.
        breaker.open_until.store(1, Ordering::Relaxed);
        assert!(!breaker.is_waiting());
        assert!(breaker.lets_through());
        assert!(!breaker.lets_through());
        assert!(breaker.succeeded());
        assert!(!breaker.succeeded());
        assert!(breaker.lets_through() && breaker.lets_through());
    }

    fn due() -> Breaker {
        let breaker = Breaker::closed(Duration::ZERO);
        breaker.open();
        breaker
    }
}
