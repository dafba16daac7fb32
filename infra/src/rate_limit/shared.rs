//! The bucket that all processes share, in Redis, behind a circuit breaker.

use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{Script, aio::ConnectionManager};

use super::{
    bucket::{Bucket, Quota},
    key::{BucketKey, Scope},
};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("bucket.lua")));

/// After a failure, Redis is asked again by one request, so much later; the others do without.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct SharedBuckets {
    redis: ConnectionManager,
    key_prefix: String,
    scope: Scope,
    quota: Quota,
    breaker: Breaker,
}

/// What Redis gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lot {
    pub(super) granted: u32,
    pub(super) bucket: Bucket,
}

impl SharedBuckets {
    pub(super) fn new(
        redis: ConnectionManager,
        key_prefix: &str,
        scope: Scope,
        quota: Quota,
    ) -> Self {
        let key_prefix = format!("{key_prefix}rate-limit:{}:", scope.as_str());
        Self { redis, key_prefix, scope, quota, breaker: Breaker::closed(scope) }
    }

    /// Takes up to `wanted` hits; `None` while Redis is away.
    pub(super) async fn take(&self, key: &BucketKey, wanted: u32) -> Option<Lot> {
        if !self.breaker.lets_through() {
            return None;
        }
        let window_ms = u64::try_from(self.quota.window.as_millis()).unwrap_or(u64::MAX);
        let answer: Result<(u32, u32, u32, u64), _> = TAKE
            .key(format!("{}{key}", self.key_prefix))
            .arg(self.quota.requests.get())
            .arg(window_ms)
            .arg(wanted)
            .invoke_async(&mut self.redis.clone())
            .await;
        match answer {
            Ok((granted, hits, previous_hits, elapsed_ms)) => {
                if self.breaker.close() {
                    tracing::info!(scope = self.scope.as_str(), "rate limits are shared again");
                }
                let elapsed = Duration::from_millis(elapsed_ms);
                Some(Lot { granted, bucket: Bucket { hits, previous_hits, elapsed } })
            }
            Err(error) => {
                if self.breaker.open() {
                    tracing::warn!(
                        scope = self.scope.as_str(),
                        %error,
                        "Redis is away: each process limits by itself, at its share"
                    );
                }
                None
            }
        }
    }
}

impl fmt::Debug for SharedBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBuckets").field("scope", &self.scope).finish_non_exhaustive()
    }
}

struct Breaker {
    open: AtomicBool,
    started: Instant,
    /// Milliseconds since `started`.
    next_try: AtomicU64,
    shared: metrics::Gauge,
}

impl Breaker {
    fn closed(scope: Scope) -> Self {
        let shared = metrics::gauge!("marquee_rate_limit_shared", "scope" => scope.as_str());
        shared.set(1.0);
        Self {
            open: AtomicBool::new(false),
            started: Instant::now(),
            next_try: AtomicU64::new(0),
            shared,
        }
    }

    fn lets_through(&self) -> bool {
        if !self.open.load(Ordering::Relaxed) {
            return true;
        }
        let next_try = self.next_try.load(Ordering::Relaxed);
        self.now_ms() >= next_try
            && self
                .next_try
                .compare_exchange(
                    next_try,
                    self.after_interval(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Whether it was closed before.
    fn open(&self) -> bool {
        self.next_try.store(self.after_interval(), Ordering::Relaxed);
        let changed = !self.open.swap(true, Ordering::Relaxed);
        if changed {
            self.shared.set(0.0);
        }
        changed
    }

    /// Whether it was open before.
    fn close(&self) -> bool {
        let changed = self.open.load(Ordering::Relaxed) && self.open.swap(false, Ordering::Relaxed);
        if changed {
            self.shared.set(1.0);
        }
        changed
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn after_interval(&self) -> u64 {
        self.now_ms().saturating_add(u64::try_from(RETRY_INTERVAL.as_millis()).unwrap_or(u64::MAX))
    }
}
