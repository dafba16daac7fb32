//! The calls to Redis: one charges many buckets.
//!
//! What is asked for while a call is under way goes together with the next one. So the fewer calls, the busier
//! the process is, and nobody waits for others to come: a charge on its own is sent at once.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis::{
    FromRedisValue, ParsingError, Script, Value, aio::ConnectionManager, from_redis_value,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    key::{BucketKey, Scope},
    quota::{Quota, lots_in_room},
    shared::{Charge, Claim, redis_key},
};
use crate::breaker::Breaker;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("buckets.lua")));

/// With a new connection, if need be. Slow is as bad as down: requests wait meanwhile.
const TIMEOUT: Duration = Duration::from_millis(250);
/// Redis does nothing else during a call: about 10 µs for each bucket.
const MAX_BATCH: usize = 64;

/// A charge that a request waits for. Without one, `answer` is dropped.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) key: BucketKey,
    pub(super) quota: Quota,
    pub(super) claim: Claim,
    pub(super) answer: oneshot::Sender<Charge>,
}

/// Who calls Redis for all of a process's requests.
pub(super) struct Charger {
    redis: ConnectionManager,
    key_prefix: String,
    scope: Scope,
    /// What the log tells of when Redis goes away.
    share: Quota,
    instances: NonZeroU32,
    breaker: Arc<Breaker>,
    /// 1, or 0 while the breaker is open.
    shared: metrics::Gauge,
    calls: metrics::Counter,
    charges: metrics::Counter,
    failures: metrics::Counter,
}

impl Charger {
    pub(super) fn new(
        redis: ConnectionManager,
        key_prefix: String,
        scope: Scope,
        quota: Quota,
        instances: NonZeroU32,
        breaker: Arc<Breaker>,
    ) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "scope" => scope.as_str());
        let shared = metrics::gauge!("marquee_rate_limit_shared", "scope" => scope.as_str());
        shared.set(1.0);
        Self {
            redis,
            key_prefix,
            scope,
            share: quota.divided_by(instances),
            instances,
            breaker,
            shared,
            calls: counter("marquee_rate_limit_redis_calls_total"),
            charges: counter("marquee_rate_limit_charges_total"),
            failures: counter("marquee_rate_limit_redis_failures_total"),
        }
    }

    pub(super) async fn run(self, mut waiting: mpsc::Receiver<Order>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while waiting.recv_many(&mut batch, MAX_BATCH).await > 0 {
            // Whose client has gone.
            batch.retain(|order: &Order| !order.answer.is_closed());
            let charges = self.charge(&batch).await.unwrap_or_default();
            // Those beyond the charges are dropped, and so answered.
            for (order, charge) in batch.drain(..).zip(charges) {
                let _ = order.answer.send(charge);
            }
        }
    }

    async fn charge(&self, batch: &[Order]) -> Option<Vec<Charge>> {
        if batch.is_empty() || !self.breaker.lets_through() {
            return None;
        }
        self.calls.increment(1);
        self.charges.increment(batch.len() as u64);
        match timeout(TIMEOUT, self.call(batch)).await {
            Ok(Ok(charges)) => {
                self.answered();
                Some(charges)
            }
            Ok(Err(error)) => self.failed(batch, &error),
            Err(elapsed) => self.failed(batch, &elapsed),
        }
    }

    async fn call(&self, batch: &[Order]) -> redis::RedisResult<Vec<Charge>> {
        let mut call = TAKE.prepare_invoke();
        for Order { key, quota, claim, .. } in batch {
            call.key(redis_key(&self.key_prefix, self.scope, key))
                .arg(quota.requests.get())
                .arg(quota.window_ms())
                .arg(quota.slot_ms())
                .arg(claim.wanted)
                .arg(lots_in_room(self.instances))
                .arg(claim.owed)
                .arg(claim.returned)
                .arg(claim.returned_to);
        }
        call.invoke_async(&mut self.redis.clone()).await
    }

    fn answered(&self) {
        if self.breaker.succeeded() {
            self.shared.set(1.0);
            tracing::info!(scope = self.scope.as_str(), "rate limits are shared again");
        }
    }

    fn failed(&self, batch: &[Order], error: &dyn fmt::Display) -> Option<Vec<Charge>> {
        self.failures.increment(batch.len() as u64);
        // Each is a request that was in vain; the news is told once.
        let news = batch.iter().filter(|_| self.breaker.failed()).count() > 0;
        if news {
            self.shared.set(0.0);
            tracing::warn!(
                scope = self.scope.as_str(),
                %error,
                share = self.share.requests,
                window_seconds = self.share.window.as_secs(),
                "Redis is away: this process limits by itself, at its share"
            );
        }
        None
    }
}

impl FromRedisValue for Charge {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (granted, left, slot, refills_in, retry_in, near, exceeded) = from_redis_value(value)?;
        Ok(Self {
            granted,
            left,
            slot,
            refills_in: Duration::from_millis(refills_in),
            retry_in: Duration::from_millis(retry_in),
            near,
            exceeded,
        })
    }
}
