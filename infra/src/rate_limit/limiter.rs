//! The two tiers together.

use std::{convert::Infallible, fmt, net::IpAddr, num::NonZeroU32, sync::Arc, time::Instant};

use actix_web::{dev::ServiceRequest, http::header::HeaderValue};
use quick_cache::sync::Cache;
use redis::aio::ConnectionManager;
use uuid::Uuid;

use super::{
    decision::{Caller, Decision, Verdict},
    key::{BucketKey, Scope},
    local::LocalBucket,
    policy::Policy,
    quota::Quota,
    sessions::Sessions,
    shared::SharedBuckets,
};

/// How many buckets this process remembers, some hundred bytes each. Of what is forgotten, all but the
/// unspent hits of a lot is known to Redis.
const MAX_LOCAL_BUCKETS: usize = 20_000;

#[derive(Debug, Clone, Copy)]
pub struct RateLimitSettings {
    /// Whether anything is limited at all.
    pub enabled: bool,
    pub quota: Quota,
    /// How many processes share the quota: while Redis is away, each admits that part of it.
    pub instances: NonZeroU32,
}

#[derive(Debug)]
pub struct RateLimiter {
    scope: Scope,
    settings: RateLimitSettings,
    policy: Policy,
    policy_header: HeaderValue,
    sessions: Option<Sessions>,
    local: Cache<BucketKey, Arc<LocalBucket>>,
    shared: SharedBuckets,
    refused: Refusals,
}

impl RateLimiter {
    /// Within a tokio runtime, which the calls to Redis then run on.
    ///
    /// # Panics
    /// When the quota allows a request a nanosecond or more.
    pub fn new(
        scope: Scope,
        settings: RateLimitSettings,
        redis: ConnectionManager,
        key_prefix: &str,
    ) -> Self {
        let RateLimitSettings { quota, instances, .. } = settings;
        quota.assert_sane();
        let policy = Policy::new(scope.policy().to_owned(), quota);
        Self {
            scope,
            settings,
            policy_header: Policy::header(&[&policy]),
            policy,
            sessions: None,
            local: Cache::new(MAX_LOCAL_BUCKETS),
            shared: SharedBuckets::new(redis, key_prefix, scope, quota, instances),
            refused: Refusals::new(scope),
        }
    }

    /// A request without a user is counted by the session that it is of, as `session_of` finds: one that was
    /// issued here and is the caller's. All sessions of one address together have `ceiling` quotas.
    ///
    /// # Panics
    /// When so many quotas allow a request a nanosecond or more.
    #[must_use]
    pub fn counting_sessions(
        self,
        ceiling: NonZeroU32,
        session_of: impl Fn(&ServiceRequest) -> Option<Uuid> + Send + Sync + 'static,
    ) -> Self {
        let sessions = Sessions::new(self.scope, &self.policy, ceiling, Box::new(session_of));
        Self { sessions: Some(sessions), ..self }
    }

    pub const fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    pub const fn scope(&self) -> Scope {
        self.scope
    }

    pub fn quota_of(&self, key: &BucketKey) -> Quota {
        match (key, &self.sessions) {
            (BucketKey::ClientSessions(_), Some(sessions)) => sessions.ceiling.quota(),
            _ => self.settings.quota,
        }
    }

    /// The session that a request of nobody in particular is counted by.
    pub(super) fn session_of(&self, request: &ServiceRequest) -> Option<Uuid> {
        self.sessions.as_ref()?.of(request)
    }

    pub async fn decide(&self, caller: Caller) -> Decision<'_> {
        let decision = match (caller, &self.sessions) {
            (Caller::One(key), _) => self.by_one(key).await,
            (Caller::Session { id, address }, Some(sessions)) => {
                self.by_session(sessions, id, address).await
            }
            (Caller::Session { address, .. }, None) => {
                self.by_one(BucketKey::client(address)).await
            }
        };
        if let Verdict::Refused { .. } = decision.verdict {
            self.refused.0.increment(1);
        }
        decision
    }

    async fn by_one(&self, key: BucketKey) -> Decision<'_> {
        let verdict = self.check(key, &self.bucket(key)).await;
        Decision { verdict, policy: &self.policy, policies: &self.policy_header }
    }

    /// By the session's own bucket, and by that of all sessions of its address.
    async fn by_session<'a>(
        &'a self,
        sessions: &'a Sessions,
        id: Uuid,
        address: IpAddr,
    ) -> Decision<'a> {
        let all_key = BucketKey::client_sessions(address);
        let all = self.bucket(all_key);
        let decision = |verdict, policy| Decision { verdict, policy, policies: &sessions.policies };
        // Known beforehand: it costs the session nothing, and makes no bucket for one that was made up.
        if let Some(refused) = all.refusal(Instant::now()) {
            return decision(refused, &sessions.ceiling);
        }
        // The session first: a session that floods does not use up what is the others'.
        let own_key = BucketKey::Session(id);
        let own = self.check(own_key, &self.bucket(own_key)).await;
        let Verdict::Admitted { remaining: of_own, .. } = own else {
            return decision(own, &self.policy);
        };
        match self.check(all_key, &all).await {
            Verdict::Admitted { remaining, .. } if remaining >= of_own => {
                decision(own, &self.policy)
            }
            nearer => decision(nearer, &sessions.ceiling),
        }
    }

    /// Hits that this process has taken of a bucket and not spent.
    pub fn unspent(&self, key: &BucketKey) -> u32 {
        self.local.get(key).map_or(0, |bucket| bucket.unspent(Instant::now()))
    }

    /// Forgets what this process knows of a bucket, which has been reset; the others do so by themselves.
    pub fn forget(&self, key: &BucketKey) {
        self.local.remove(key);
    }

    async fn check(&self, key: BucketKey, bucket: &LocalBucket) -> Verdict {
        match bucket.decide(Instant::now()) {
            Some(verdict) => verdict,
            None => self.ask(key, bucket).await,
        }
    }

    async fn ask(&self, key: BucketKey, bucket: &LocalBucket) -> Verdict {
        if self.shared.is_away() {
            return self.govern(&key, bucket);
        }
        let _charging = bucket.charging.lock().await;
        // Whoever held the lock before may have brought a lot, or a refusal.
        let asked_at = Instant::now();
        if let Some(verdict) = bucket.decide(asked_at) {
            return verdict;
        }
        let quota = self.quota_of(&key);
        match self.shared.take(key, quota, bucket.claim(asked_at)).await {
            Some(charge) => {
                self.report(&key, charge.near, charge.exceeded);
                bucket.receive(charge, asked_at, Instant::now())
            }
            None => self.govern(&key, bucket),
        }
    }

    fn govern(&self, key: &BucketKey, bucket: &LocalBucket) -> Verdict {
        let (verdict, crossed) = bucket.govern(Instant::now());
        self.report(key, crossed.near, crossed.exceeded);
        verdict
    }

    fn bucket(&self, key: BucketKey) -> Arc<LocalBucket> {
        let made = self.local.get_or_insert_with(&key, || {
            let instances = self.settings.instances;
            let share = self.quota_of(&key).divided_by(instances);
            Ok::<_, Infallible>(Arc::new(LocalBucket::new(share, instances.get() - 1)))
        });
        let Ok(bucket) = made;
        bucket
    }

    /// One event for each crossed threshold; the requests beyond it are only counted.
    fn report(&self, key: &BucketKey, near: bool, exceeded: bool) {
        if !near && !exceeded {
            return;
        }
        let scope = self.scope.as_str();
        let Quota { requests: quota, window } = self.quota_of(key);
        let window_seconds = window.as_secs();
        if near {
            tracing::info!(scope, bucket_key = %key, quota, window_seconds, "rate limit nearly reached");
        }
        if exceeded {
            tracing::warn!(scope, bucket_key = %key, quota, window_seconds, "rate limit exceeded");
        }
    }
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
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };

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

    async fn check(limiter: &RateLimiter, client: u32) -> Verdict {
        let key = BucketKey::client(IpAddr::V4(Ipv4Addr::from_bits(client)));
        limiter.decide(Caller::One(key)).await.verdict
    }

    #[tokio::test]
    async fn no_more_buckets_are_remembered_than_fit_however_many_clients_there_are() {
        let limiter = limiter(10, 1);
        let clients = u32::try_from(MAX_LOCAL_BUCKETS).unwrap() * 5 / 4;
        for n in 0..clients {
            assert!(matches!(check(&limiter, n).await, Verdict::Admitted { .. }));
        }
        let remembered = limiter.local.len();
        assert!((1..=MAX_LOCAL_BUCKETS).contains(&remembered), "{remembered}");
    }

    #[tokio::test]
    async fn without_redis_a_process_admits_its_share_and_counts_down_from_it() {
        let limiter = limiter(40, 4);
        for used in 1..=10 {
            let verdict = check(&limiter, 1).await;
            let Verdict::Admitted { remaining, .. } = verdict else {
                panic!("{used}: {verdict:?}")
            };
            assert_eq!(remaining, 10 - used);
        }
        let refused = check(&limiter, 1).await;
        let Verdict::Refused { retry_after } = refused else { panic!("{refused:?}") };
        assert!(retry_after <= Duration::from_secs(6), "{retry_after:?}");
        assert!(matches!(check(&limiter, 2).await, Verdict::Admitted { .. }));
    }
}
