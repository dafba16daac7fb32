//! How long to wait before trying again.

use std::time::Duration;

use marquee_infra::clock;

const FIRST: Duration = Duration::from_millis(50);
/// Short: what is back must be used soon, and one try in two seconds disturbs nobody.
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles with every failure, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Between half of the time and all of it, so that processes do not try in step.
    pub(super) fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let [share] = clock::random_bytes();
        full / 2 + full / 2 * u32::from(share) / u32::from(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit_and_starts_again() {
        let mut backoff = Backoff::default();
        assert!((FIRST / 2..=FIRST).contains(&backoff.next()));
        for _ in 0..1_000 {
            assert!(backoff.next() <= LONGEST);
        }
        assert!((LONGEST / 2..=LONGEST).contains(&backoff.next()));
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
