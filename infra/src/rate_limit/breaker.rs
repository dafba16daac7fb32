//! Whether Redis is asked at all: a circuit breaker.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::key::Scope;

/// So many failures in a row are no accident.
const FAILURES: u32 = 3;
/// Then Redis is asked again by one request, so much later; the others do without.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Breaker {
    open: AtomicBool,
    /// In a row.
    failures: AtomicU32,
    started: Instant,
    /// Milliseconds since `started`.
    next_try: AtomicU64,
    shared: Gauge,
}

impl Breaker {
    pub(super) fn closed(scope: Scope) -> Self {
        let shared = Gauge(metrics::gauge!("marquee_rate_limit_shared", "scope" => scope.as_str()));
        shared.0.set(1.0);
        Self {
            open: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            started: Instant::now(),
            next_try: AtomicU64::new(0),
            shared,
        }
    }

    /// Whether nobody is to ask now.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) && self.now_ms() < self.next_try.load(Ordering::Relaxed)
    }

    /// Whether the caller is to ask. While the breaker is open, that is one caller each interval.
    pub(super) fn lets_through(&self) -> bool {
        if !self.open.load(Ordering::Relaxed) {
            return true;
        }
        let next_try = self.next_try.load(Ordering::Relaxed);
        let then = self.after_interval();
        self.now_ms() >= next_try
            && self
                .next_try
                .compare_exchange(next_try, then, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Opens it, if that has happened too often. Whether it was closed before.
    pub(super) fn failed(&self) -> bool {
        if self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) < FAILURES {
            return false;
        }
        self.next_try.store(self.after_interval(), Ordering::Relaxed);
        let changed = !self.open.swap(true, Ordering::Relaxed);
        if changed {
            self.shared.0.set(0.0);
        }
        changed
    }

    /// Closes it. Whether it was open before.
    pub(super) fn succeeded(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        let changed = self.open.load(Ordering::Relaxed) && self.open.swap(false, Ordering::Relaxed);
        if changed {
            self.shared.0.set(1.0);
        }
        changed
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn after_interval(&self) -> u64 {
        self.now_ms().saturating_add(u64::try_from(RETRY_INTERVAL.as_millis()).unwrap_or(u64::MAX))
    }
}

struct Gauge(metrics::Gauge);

impl std::fmt::Debug for Gauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gauge")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_it_is_open_one_asks_now_and_then_and_every_change_is_told_once() {
        let breaker = Breaker::closed(Scope::ViewerRead);
        assert!(breaker.lets_through() && breaker.lets_through() && !breaker.is_open());
        assert!(!breaker.failed() && !breaker.failed() && !breaker.succeeded());
        assert!(!breaker.failed() && !breaker.failed() && breaker.lets_through());
        assert!(breaker.failed());
        assert!(!breaker.failed());
        assert!(breaker.is_open() && !breaker.lets_through());
        breaker.next_try.store(0, Ordering::Relaxed);
        assert!(!breaker.is_open());
        assert!(breaker.lets_through());
        assert!(!breaker.lets_through());
        assert!(breaker.succeeded());
        assert!(!breaker.succeeded());
        assert!(breaker.lets_through() && breaker.lets_through());
    }
}
