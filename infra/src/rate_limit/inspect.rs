//! Buckets as operators see them: how one stands, and opening it again.

use std::{collections::HashMap, fmt, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use redis::{RedisResult, aio::ConnectionManager};

use super::{
    key::{BucketKey, Scope},
    quota::Quota,
    shared::redis_key,
};

/// All buckets, of whatever scope.
#[derive(Clone)]
pub struct Buckets {
    redis: ConnectionManager,
    key_prefix: String,
}

/// A bucket that was charged within its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketState {
    /// Those that count now, and those that processes have taken and not spent yet.
    pub hits: u32,
    /// Where the oldest slot with hits that count begins.
    pub window_start: DateTime<Utc>,
    pub limit: u32,
    pub window: Duration,
    /// When its oldest hits no longer count.
    pub refills_at: DateTime<Utc>,
}

impl Buckets {
    pub fn new(redis: ConnectionManager, key_prefix: &str) -> Self {
        Self { redis, key_prefix: key_prefix.to_owned() }
    }

    /// `None` when nothing counts now.
    pub async fn look(&self, scope: Scope, key: &BucketKey) -> RedisResult<Option<BucketState>> {
        let (fields, (seconds, microseconds)): (HashMap<String, u64>, (u64, u64)) = redis::pipe()
            .atomic()
            .hgetall(redis_key(&self.key_prefix, scope, key))
            .cmd("TIME")
            .query_async(&mut self.redis.clone())
            .await?;
        Ok(state(&fields, seconds * 1000 + microseconds / 1000))
    }

    /// The whole quota is free again: at once where it is asked for, and in other processes as soon as
    /// what they know has lapsed.
    pub async fn reset(&self, scope: Scope, key: &BucketKey) -> RedisResult<()> {
        redis::cmd("DEL")
            .arg(redis_key(&self.key_prefix, scope, key))
            .query_async(&mut self.redis.clone())
            .await
    }
}

/// What `bucket.lua` would count now.
fn state(fields: &HashMap<String, u64>, now_ms: u64) -> Option<BucketState> {
    let limit = u32::try_from(*fields.get("limit")?).ok()?;
    let window = Duration::from_millis(*fields.get("window_ms")?);
    let slot_ms = Quota::slot_of(window);
    let counts_until = |start: u64| start + slot_ms + fields["window_ms"];
    let counted = fields
        .iter()
        .filter_map(|(name, hits)| Some((name.parse::<u64>().ok()?, *hits)))
        .filter(|(start, hits)| *hits > 0 && *start <= now_ms && now_ms < counts_until(*start));
    let (oldest, hits) =
        counted.fold((None, 0), |(oldest, sum): (Option<u64>, u64), (start, hits)| {
            (Some(oldest.map_or(start, |oldest| oldest.min(start))), sum + hits)
        });
    let oldest = oldest?;
    let instant = |ms: u64| {
        DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::milliseconds(i64::try_from(ms).ok()?))
    };
    Some(BucketState {
        hits: u32::try_from(hits).unwrap_or(u32::MAX),
        window_start: instant(oldest)?,
        limit,
        window,
        refills_at: instant(counts_until(oldest))?,
    })
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_longer_counts_is_not_shown() {
        let fields: HashMap<String, u64> = [
            ("limit", 100),
            ("window_ms", 1_000),
            // Slots of 40 ms.
            ("1000000", 5),
            ("1000040", 7),
            ("1000400", 0),
            ("hits", 12),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let hits = |now_ms| state(&fields, now_ms).map(|state| state.hits);
        assert_eq!(hits(1_000_050), Some(12));
        assert_eq!(hits(1_001_039), Some(12));
        assert_eq!(hits(1_001_040), Some(7));
        assert_eq!(hits(1_001_080), None);
        assert_eq!(state(&HashMap::new(), 0), None);
        let state = state(&fields, 1_000_050).unwrap();
        assert_eq!(state.window_start.timestamp_millis(), 1_000_000);
        assert_eq!(state.refills_at.timestamp_millis(), 1_001_040);
    }
}
