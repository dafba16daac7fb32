//! A quota as callers are told of it (draft-ietf-httpapi-ratelimit-headers).

use std::{io::Write, time::Duration};

use actix_web::http::header::HeaderValue;

use super::quota::Quota;

/// Of a quota that callers are told of: its name, and what it allows.
#[derive(Debug)]
pub struct Policy {
    name: String,
    quota: Quota,
}

/// A name of ours and two numbers.
const MAX_STATE_BYTES: usize = 96;

impl Policy {
    pub(super) fn new(name: String, quota: Quota) -> Self {
        assert!(name.len() <= MAX_STATE_BYTES / 2, "the policy's name is too long");
        Self { name, quota }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// `"viewer-read";q=600;w=60`, of each that applies.
    pub(super) fn header(policies: &[&Self]) -> HeaderValue {
        let item = |policy: &&Self| {
            let Self { name, quota, .. } = policy;
            format!("\"{name}\";q={};w={}", quota.requests, quota.window.as_secs())
        };
        let text = policies.iter().map(item).collect::<Vec<_>>().join(", ");
        HeaderValue::try_from(text).expect("names and numbers are visible ASCII")
    }

    /// `"viewer-read";r=599;t=60`. Made for every answer, and so on the heap only when it is whole.
    pub(super) fn state(&self, remaining: u32, resets: Duration) -> Option<HeaderValue> {
        let mut buffer = [0; MAX_STATE_BYTES];
        let mut rest = &mut buffer[..];
        write!(rest, "\"{}\";r={remaining};t={}", self.name, whole_seconds(resets)).ok()?;
        let length = MAX_STATE_BYTES - rest.len();
        HeaderValue::from_bytes(&buffer[..length]).ok()
    }
}

/// Rounded up: a client that waits as long as it was told is not too early.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_policy_is_told_as_the_draft_has_it_whatever_its_numbers() {
        let quota = |requests| Quota {
            requests: NonZeroU32::new(requests).unwrap(),
            window: Duration::from_secs(60),
        };
        let one = Policy::new("viewer-read".to_owned(), quota(600));
        let other = Policy::new("viewer-read-sessions".to_owned(), quota(6_000));
        assert_eq!(Policy::header(&[&one]), "\"viewer-read\";q=600;w=60");
        assert_eq!(
            Policy::header(&[&one, &other]),
            "\"viewer-read\";q=600;w=60, \"viewer-read-sessions\";q=6000;w=60"
        );
        let state = |remaining, resets| other.state(remaining, resets).unwrap();
        assert_eq!(state(0, Duration::ZERO), "\"viewer-read-sessions\";r=0;t=0");
        assert_eq!(state(7, Duration::from_millis(1_001)), "\"viewer-read-sessions\";r=7;t=2");
        assert_eq!(
            state(u32::MAX, Duration::from_secs(u64::MAX)),
            "\"viewer-read-sessions\";r=4294967295;t=18446744073709551615"
        );
    }
}
