//! The buckets that all processes share, in Redis: what is asked of them, and whether they can be asked.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use redis::aio::ConnectionManager;
use tokio::sync::{mpsc, oneshot};

use super::{
    charging::{self, Order},
    key::{BucketKey, Scope},
    quota::Quota,
};
use crate::breaker::Breaker;

/// In a row: so many are no accident.
const FAILURES_TO_OPEN: u32 = 3;
/// While Redis is away it is asked again by one call, so much later; requests meanwhile do without.
const TRIAL_INTERVAL: Duration = Duration::from_millis(500);
/// Charges that wait for the call before theirs. A request whose charge finds no place waits for one.
const MAX_WAITING: usize = 1_024;

#[derive(Debug)]
pub(super) struct SharedBuckets {
    breaker: Arc<Breaker>,
    orders: mpsc::Sender<Order>,
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
    /// Within a tokio runtime, which the calls to Redis then run on.
    pub(super) fn new(
        redis: ConnectionManager,
        key_prefix: &str,
        scope: Scope,
        quota: Quota,
        instances: NonZeroU32,
    ) -> Self {
        let breaker = Breaker::closed(TRIAL_INTERVAL).opening_after(FAILURES_TO_OPEN);
        let breaker = Arc::new(breaker);
        let (orders, waiting) = mpsc::channel(MAX_WAITING);
        let charger = charging::Charger::new(
            redis,
            key_prefix.to_owned(),
            scope,
            quota,
            instances,
            Arc::clone(&breaker),
        );
        // It ends with the last sender.
        tokio::spawn(charger.run(waiting));
        Self { breaker, orders }
    }

    /// Whether Redis is known to be away, and it is not yet time to ask again.
    pub(super) fn is_away(&self) -> bool {
        self.breaker.is_waiting()
    }

    /// Charges the bucket; `None` when Redis does not answer, or is known to be away.
    pub(super) async fn take(&self, key: BucketKey, quota: Quota, claim: Claim) -> Option<Charge> {
        let (answer, charge) = oneshot::channel();
        self.orders.send(Order { key, quota, claim, answer }).await.ok()?;
        // Dropped when there is no charge.
        charge.await.ok()
    }
}
