//! Who asks, and what is said to that.

use std::{net::IpAddr, time::Duration};

use actix_web::http::header::HeaderValue;
use uuid::Uuid;

use super::{key::BucketKey, policy::Policy};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Who is counted by a bucket alone: a user, or an address.
    One(BucketKey),
    /// A session of nobody in particular, and where it asks from.
    Session { id: Uuid, address: IpAddr },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// `remaining` more are admitted for sure within `resets_after`.
    Admitted {
        remaining: u32,
        resets_after: Duration,
    },
    Refused {
        retry_after: Duration,
    },
}

/// A verdict, with what the caller is told.
#[derive(Debug)]
pub struct Decision<'a> {
    pub verdict: Verdict,
    /// Of the bucket that is the nearest to its end.
    pub policy: &'a Policy,
    /// All that apply: `RateLimit-Policy`.
    pub policies: &'a HeaderValue,
}

impl Decision<'_> {
    /// `RateLimit`.
    pub(super) fn state(&self) -> Option<HeaderValue> {
        let remaining = match self.verdict {
            Verdict::Admitted { remaining, .. } => remaining,
            Verdict::Refused { .. } => 0,
        };
        self.policy.state(remaining, self.until())
    }

    /// For how long it holds.
    pub(super) const fn until(&self) -> Duration {
        match self.verdict {
            Verdict::Admitted { resets_after: until, .. }
            | Verdict::Refused { retry_after: until } => until,
        }
    }
}
