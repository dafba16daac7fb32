//! Rate limits (data model: RateLimitBucket), in two tiers.
//!
//! The first is in the process, and stops a flood before it costs anything: it spends the lot that
//! it holds, repeats a refusal that still holds, and while Redis is away a governor admits the
//! process's share of the quota.
//!
//! The second is the bucket that all processes share in Redis. It is charged in lots: a process
//! takes several hits at once and spends them by itself, so that a busy key costs one call a lot, and a
//! refused one a call a second. The first lot is of sixteen, the next one twice the last one when that was spent within five seconds;
//! what was not spent by then is given back with the next call. A lot is never more than a twentieth of what is
//! left, divided by the number of processes, so that near the end of the quota every request is asked for.
//!
//! Hence the bounds. In any window, no more is charged than the quota. All lots that are out at one time
//! are a twentieth of the quota at most: by so much may admissions in a window exceed what was charged in
//! it (hits charged just before it and spent within it), and by so much may they fall short when a process
//! that holds a lot hears of its key no more.
//!
//! Who is counted: the user, else the viewing session, else the client's address. Sessions can be started by the
//! thousand, so those of one address have a bucket together as well, of some quotas: what they gain ends there.
//! docs/adr/0020-rate-limits-in-lots.md has the rest.

mod charging;
mod client_ip;
mod decision;
mod inspect;
mod key;
mod limiter;
mod local;
mod middleware;
mod policy;
mod quota;
mod sessions;
mod shared;

pub use client_ip::{ForwardedHeader, TrustedProxies};
pub use decision::{Caller, Decision, Verdict};
pub use inspect::{BucketState, Buckets};
pub use key::{BucketKey, Scope, UnknownBucketKey, UnknownScope};
pub use limiter::{RateLimitSettings, RateLimiter};
pub use middleware::enforce;
pub use policy::Policy;
pub use quota::Quota;
