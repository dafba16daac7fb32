//! Rate limits (data model: RateLimitBucket), in two tiers.
//!
//! The first is a governor in the process: it stops a flood before it costs anything, and is all
//! there is while Redis is away. The second is the bucket that all processes share in Redis. It is
//! charged in lots: a process takes up to `lot` hits at once and spends them by itself, so that a
//! busy key costs one call a lot. What is taken is taken from the quota, and what is not spent
//! when the bucket's window ends lapses. Hence the slack: in one window, each process may admit at
//! most one lot that was charged to the moment before, and may keep at most one lot unspent.

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
