//! The buckets that all processes share, in Redis.

use std::{fmt, num::NonZeroU32, sync::LazyLock, time::Duration};

use redis::{Script, aio::ConnectionManager};
use tokio::time::timeout;

use super::{
    key::{BucketKey, Scope},
    quota::{Quota, lots_in_room},
};
use crate::breaker::Breaker;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("bucket.lua")));

/// With a new connection, if need be. Slow is as bad as down: a request waits meanwhile.
const TIMEOUT: Duration = Duration::from_millis(250);
/// In a row: so many are no accident.
const FAILURES_TO_OPEN: u32 = 3;
/// While Redis is away it is asked again by one request, so much later; the others do without.
const TRIAL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct SharedBuckets {
    redis: ConnectionManager,
    key_prefix: String,
    scope: Scope,
    quota: Quota,
    instances: NonZeroU32,
    breaker: Breaker,
    /// 1, or 0 while the breaker is open.
    shared: metrics::Gauge,
    calls: metrics::Counter,
    failures: metrics::Counter,
}

/// What a process asks for, and what it has to settle with the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) wanted: u32,
    /// Hits of an earlier lot that were not spent, and the slot that they were charged to.
    pub(super) returned: u32,
    pub(super) returned_to: u64,
    /// Hits that were admitted while Redis was away.
    pub(super) owed: u32,
}

impl Claim {
    pub(super) const fn of(wanted: u32) -> Self {
        Self { wanted, returned: 0, returned_to: 0, owed: 0 }
    }
}

/// How the bucket stands after it was charged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charge {
    pub(super) granted: u32,
    /// Beside what was granted.
    pub(super) left: u32,
    pub(super) slot: u64,
    /// Until its oldest hits no longer count.
    pub(super) refills_in: Duration,
    /// Until there is room for one. Meaningless unless nothing was granted.
    pub(super) retry_in: Duration,
    pub(super) near: bool,
    pub(super) exceeded: bool,
}

pub(super) fn redis_key(prefix: &str, scope: Scope, key: &BucketKey) -> String {
    format!("{prefix}rate-limit:{}:{key}", scope.as_str())
}

impl SharedBuckets {
    pub(super) fn new(
        redis: ConnectionManager,
        key_prefix: &str,
        scope: Scope,
        quota: Quota,
        instances: NonZeroU32,
    ) -> Self {
        let shared = metrics::gauge!("marquee_rate_limit_shared", "scope" => scope.as_str());
        shared.set(1.0);
        Self {
            redis,
            key_prefix: key_prefix.to_owned(),
            scope,
            quota,
            instances,
            breaker: Breaker::closed(TRIAL_INTERVAL).opening_after(FAILURES_TO_OPEN),
            shared,
            calls: counter("marquee_rate_limit_redis_calls_total", scope),
            failures: counter("marquee_rate_limit_redis_failures_total", scope),
        }
    }

    /// Whether Redis is known to be away, and it is not yet time to ask again.
    pub(super) fn is_away(&self) -> bool {
        self.breaker.is_waiting()
    }

    /// Charges the bucket; `None` when Redis does not answer, or is known to be away.
    pub(super) async fn take(&self, key: &BucketKey, claim: Claim) -> Option<Charge> {
        if !self.breaker.lets_through() {
            return None;
        }
        self.calls.increment(1);
        match timeout(TIMEOUT, self.call(key, claim)).await {
            Ok(Ok(charge)) => {
                self.answered();
                Some(charge)
            }
            Ok(Err(error)) => self.failed(&error),
            Err(elapsed) => self.failed(&elapsed),
        }
    }

    async fn call(&self, key: &BucketKey, claim: Claim) -> redis::RedisResult<Charge> {
        let (granted, left, slot, refills_in, retry_in, near, exceeded) = TAKE
            .key(redis_key(&self.key_prefix, self.scope, key))
            .arg(self.quota.requests.get())
            .arg(self.quota.window_ms())
            .arg(self.quota.slot_ms())
            .arg(claim.wanted)
            .arg(lots_in_room(self.instances))
            .arg(claim.owed)
            .arg(claim.returned)
            .arg(claim.returned_to)
            .invoke_async(&mut self.redis.clone())
            .await?;
        Ok(Charge {
            granted,
            left,
            slot,
            refills_in: Duration::from_millis(refills_in),
            retry_in: Duration::from_millis(retry_in),
            near,
            exceeded,
        })
    }

    fn answered(&self) {
        if self.breaker.succeeded() {
            self.shared.set(1.0);
            tracing::info!(scope = self.scope.as_str(), "rate limits are shared again");
        }
    }

    fn failed(&self, error: &dyn fmt::Display) -> Option<Charge> {
        self.failures.increment(1);
        if self.breaker.failed() {
            self.shared.set(0.0);
            tracing::warn!(
                scope = self.scope.as_str(),
                %error,
                share = self.quota.divided_by(self.instances).requests,
                window_seconds = self.quota.window.as_secs(),
                "Redis is away: this process limits by itself, at its share"
            );
        }
        None
    }
}

fn counter(name: &'static str, scope: Scope) -> metrics::Counter {
    metrics::counter!(name, "scope" => scope.as_str())
}

impl fmt::Debug for SharedBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBuckets").field("scope", &self.scope).finish_non_exhaustive()
    }
}
