//! Rate limits (data model: RateLimitBucket), in two tiers.
//!
//! The first is in the process, and stops a flood before it costs anything: it spends the lot that
//! it holds, repeats a refusal that still holds, and while Redis is away a governor admits the
//! process's share of the quota.
//!
//! The second is the bucket that all processes share in Redis. It is charged in lots: a process
//! takes up to `lot` hits at once and spends them by itself, so that a busy key costs one call a
//! lot, and a refused one a call a second. What is taken is taken from the quota, and what is not
//! spent when the bucket's window ends lapses. Hence the slack: of one quota, each process may keep
//! up to `lot - 1` hits unspent, and may spend up to `lot` later than they were charged.

mod bucket;
mod client_ip;
mod key;
mod limiter;
mod local;
mod middleware;
mod shared;

pub use bucket::Quota;
pub use client_ip::TrustedProxies;
pub use key::{BucketKey, Scope};
pub use limiter::{RateLimitSettings, RateLimiter, Verdict};
pub use middleware::enforce;
