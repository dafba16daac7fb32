//! The two tiers together.

use std::{
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::http::header::HeaderValue;
use moka::sync::Cache;
use redis::aio::ConnectionManager;

use super::{
    bucket::Quota,
    key::{BucketKey, Scope},
    local::LocalBucket,
    shared::SharedBuckets,
};

/// How many buckets this process remembers. What is forgotten is still counted in Redis.
const MAX_LOCAL_BUCKETS: u64 = 100_000;

#[derive(Debug, Clone, Copy)]
pub struct RateLimitSettings {
    pub quota: Quota,
    /// How many hits are taken from the shared bucket at once.
    pub lot: NonZeroU32,
    /// How many processes share the quota: while Redis is away, each admits that part of it.
    pub instances: NonZeroU32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Admitted { remaining: u32, resets_after: Duration },
    Refused { retry_after: Duration },
}

#[derive(Debug)]
pub struct RateLimiter {
    scope: Scope,
    settings: RateLimitSettings,
    /// This process's part of the quota.
    share: Quota,
    local: Cache<BucketKey, Arc<LocalBucket>>,
    shared: SharedBuckets,
    policy_header: HeaderValue,
    refused: Refusals,
}

impl RateLimiter {
    /// # Panics
    /// When the quota allows a request a nanosecond or more.
    pub fn new(
        scope: Scope,
        settings: RateLimitSettings,
        redis: ConnectionManager,
        key_prefix: &str,
    ) -> Self {
        let quota = settings.quota;
        assert!(
            quota.window / quota.requests.get() > Duration::ZERO,
            "a quota allows less than a request a nanosecond"
        );
        Self {
            scope,
            settings,
            share: quota.divided_by(settings.instances),
            local: Cache::builder()
                .max_capacity(MAX_LOCAL_BUCKETS)
                .time_to_idle(2 * quota.window)
                .build(),
            shared: SharedBuckets::new(redis, key_prefix, scope, quota),
            policy_header: policy_header(scope, quota),
            refused: Refusals::new(scope),
        }
    }

    pub const fn scope(&self) -> Scope {
        self.scope
    }

    pub const fn quota(&self) -> Quota {
        self.settings.quota
    }

    pub(super) const fn policy_header(&self) -> &HeaderValue {
        &self.policy_header
    }

    pub async fn check(&self, key: &BucketKey) -> Verdict {
        let bucket =
            self.local.get(key).unwrap_or_else(|| self.local.get_with(*key, || self.new_bucket()));
        let verdict = self.decide(key, &bucket).await;
        if let Verdict::Refused { .. } = verdict {
            self.report(key, &bucket);
        }
        verdict
    }

    async fn decide(&self, key: &BucketKey, bucket: &LocalBucket) -> Verdict {
        let quota = self.settings.quota;
        let known = |now| bucket.refusal(now).or_else(|| bucket.spend(now));
        if let Some(verdict) = known(Instant::now()) {
            return verdict;
        }

        let _charging = bucket.charging.lock().await;
        let now = Instant::now();
        // Whoever held the lock before may have brought a lot, or a refusal.
        if let Some(verdict) = known(now) {
            return verdict;
        }
        match self.shared.take(key, self.settings.lot.get()).await {
            Some(lot) => bucket.receive(lot, quota, now),
            None => bucket.govern(self.share),
        }
    }

    fn new_bucket(&self) -> Arc<LocalBucket> {
        Arc::new(LocalBucket::new(self.share))
    }

    /// One event for each crossed threshold; the requests beyond it are only counted.
    fn report(&self, key: &BucketKey, bucket: &LocalBucket) {
        self.refused.0.increment(1);
        if bucket.crosses(self.settings.quota, Instant::now()) {
            tracing::warn!(
                scope = self.scope.as_str(),
                bucket_key = %key,
                quota = self.settings.quota.requests,
                window_seconds = self.settings.quota.window.as_secs(),
                "rate limit exceeded"
            );
        }
    }
}

/// `"viewer-read";q=600;w=60`
fn policy_header(scope: Scope, quota: Quota) -> HeaderValue {
    let text = format!("\"{}\";q={};w={}", scope.policy(), quota.requests, quota.window.as_secs());
    HeaderValue::try_from(text).expect("a name and two numbers are visible ASCII")
}

struct Refusals(metrics::Counter);

impl Refusals {
    fn new(scope: Scope) -> Self {
        Self(metrics::counter!("marquee_rate_limit_refused_total", "scope" => scope.as_str()))
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refusals")
    }
}
