//! The one home of time and randomness. Everyone else takes them as values.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// The time, to the microsecond: what MySQL's `DATETIME(6)` keeps.
#[expect(clippy::disallowed_methods, reason = "the one home of the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A new id, version 7 (RFC 9562): ordered by time, so that it is kind to indexes.
#[expect(clippy::disallowed_methods, reason = "the one home of randomness")]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe could be done then.
#[expect(clippy::disallowed_methods, reason = "the one home of randomness")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
