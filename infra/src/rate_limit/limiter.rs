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
    key::{BucketKey, Scope},
    local::LocalBucket,
    quota::Quota,
    shared::SharedBuckets,
};

/// How many buckets this process remembers, some hundred bytes each. Of what is forgotten, all but the
/// unspent hits of a lot is known to Redis.
const MAX_LOCAL_BUCKETS: u64 = 20_000;

#[derive(Debug, Clone, Copy)]
pub struct RateLimitSettings {
    /// Whether anything is limited at all.
    pub enabled: bool,
    pub quota: Quota,
    /// How many processes share the quota: while Redis is away, each admits that part of it.
    pub instances: NonZeroU32,
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
        let RateLimitSettings { quota, instances, .. } = settings;
        assert!(
            quota.window / quota.requests.get() > Duration::ZERO,
            "a quota allows less than a request a nanosecond"
        );
        Self {
            scope,
            settings,
            share: quota.divided_by(instances),
            local: Cache::builder()
                .max_capacity(MAX_LOCAL_BUCKETS)
                .time_to_idle(2 * quota.window)
                .build(),
            shared: SharedBuckets::new(redis, key_prefix, scope, quota, instances),
            policy_header: policy_header(scope, quota),
            refused: Refusals::new(scope),
        }
    }

    pub const fn is_enabled(&self) -> bool {
        self.settings.enabled
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
        let verdict = match self.decide(&bucket) {
            Some(verdict) => verdict,
            None => self.ask(key, &bucket).await,
        };
        if let Verdict::Refused { .. } = verdict {
            self.refused.0.increment(1);
        }
        verdict
    }

    /// Hits that this process has taken of a bucket and not spent.
    pub fn unspent(&self, key: &BucketKey) -> u32 {
        let bucket = self.local.get(key);
        bucket.map_or(0, |bucket| bucket.unspent(self.share.window, Instant::now()))
    }

    /// Forgets what this process knows of a bucket, which has been reset; the others do so by themselves.
    pub fn forget(&self, key: &BucketKey) {
        self.local.invalidate(key);
    }

    fn decide(&self, bucket: &LocalBucket) -> Option<Verdict> {
        let others = self.settings.instances.get() - 1;
        bucket.decide(self.share.window, Instant::now(), others)
    }

    async fn ask(&self, key: &BucketKey, bucket: &LocalBucket) -> Verdict {
        if self.shared.is_away() {
            return self.govern(key, bucket);
        }
        let _charging = bucket.charging.lock().await;
        // Whoever held the lock before may have brought a lot, or a refusal.
        if let Some(verdict) = self.decide(bucket) {
            return verdict;
        }
        let asked_at = Instant::now();
        match self.shared.take(key, bucket.claim(self.share, asked_at)).await {
            Some(charge) => {
                self.report(key, charge.near, charge.exceeded);
                bucket.receive(charge, asked_at, Instant::now())
            }
            None => self.govern(key, bucket),
        }
    }

    fn govern(&self, key: &BucketKey, bucket: &LocalBucket) -> Verdict {
        let (verdict, crossed) = bucket.govern(self.share, Instant::now());
        self.report(key, crossed.near, crossed.exceeded);
        verdict
    }

    fn new_bucket(&self) -> Arc<LocalBucket> {
        Arc::new(LocalBucket::new(self.share))
    }

    /// One event for each crossed threshold; the requests beyond it are only counted.
    fn report(&self, key: &BucketKey, near: bool, exceeded: bool) {
        let scope = self.scope.as_str();
        let quota = self.settings.quota.requests;
        let window_seconds = self.settings.quota.window.as_secs();
        if near {
            tracing::info!(scope, bucket_key = %key, quota, window_seconds, "rate limit nearly reached");
        }
        if exceeded {
            tracing::warn!(scope, bucket_key = %key, quota, window_seconds, "rate limit exceeded");
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn limiter(requests: u32, instances: u32) -> RateLimiter {
        let number = |number| NonZeroU32::new(number).unwrap();
        let nobody_there = "redis://127.0.0.1:1/0".to_owned().into();
        let settings = RateLimitSettings {
            enabled: true,
            quota: Quota { requests: number(requests), window: Duration::from_secs(60) },
            instances: number(instances),
        };
        let redis = crate::redis::connect_lazy(&nobody_there).unwrap();
        RateLimiter::new(Scope::ViewerRead, settings, redis, "")
    }

    fn client(n: u32) -> BucketKey {
        BucketKey::client(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    #[tokio::test]
    async fn no_more_buckets_are_remembered_than_fit_however_many_clients_there_are() {
        let limiter = limiter(10, 1);
        let clients = u32::try_from(MAX_LOCAL_BUCKETS).unwrap() * 5 / 4;
        for n in 0..clients {
            assert!(matches!(limiter.check(&client(n)).await, Verdict::Admitted { .. }));
        }
        limiter.local.run_pending_tasks();
        let remembered = limiter.local.entry_count();
        assert!((1..=MAX_LOCAL_BUCKETS).contains(&remembered), "{remembered}");
    }

    #[tokio::test]
    async fn without_redis_a_process_admits_its_share_and_counts_down_from_it() {
        let limiter = limiter(40, 4);
        for used in 1..=10 {
            let verdict = limiter.check(&client(1)).await;
            let Verdict::Admitted { remaining, .. } = verdict else {
                panic!("{used}: {verdict:?}")
            };
            assert_eq!(remaining, 10 - used);
        }
        let refused = limiter.check(&client(1)).await;
        let Verdict::Refused { retry_after } = refused else { panic!("{refused:?}") };
        assert!(retry_after <= Duration::from_secs(6), "{retry_after:?}");
        assert!(matches!(limiter.check(&client(2)).await, Verdict::Admitted { .. }));
    }
}
