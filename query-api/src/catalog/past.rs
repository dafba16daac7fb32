//! What has changed lately, so that pages can be turned in the catalog as it was: a cursor stays at
//! the positions of its first page.
//!
//! Kept is what movies were before they changed, not what the catalog was: that is a few megabytes,
//! where a catalog for every change would be gigabytes ([ADR 19]).
//!
//! [ADR 19]: ../../../docs/adr/0019-pages-of-one-position.md

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::Vector;
use marquee_domain::MovieId;
use serde::{Deserialize, Serialize};

use super::CatalogMovie;

/// How much of the past is kept: what is over either limit is forgotten.
#[derive(Debug, Clone, Copy)]
pub struct PastLimits {
    pub age: Duration,
    pub bytes: usize,
}

/// How far a catalog has followed each partition, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Positions(Vec<PartitionPosition>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i32, u64, u64)", into = "(i32, u64, u64)")]
pub(super) struct PartitionPosition {
    pub(super) partition: i32,
    /// Rises when rows were changed out of the order of positions.
    pub(super) generation: u64,
    pub(super) position: u64,
}

impl From<(i32, u64, u64)> for PartitionPosition {
    fn from((partition, generation, position): (i32, u64, u64)) -> Self {
        Self { partition, generation, position }
    }
}

impl From<PartitionPosition> for (i32, u64, u64) {
    fn from(one: PartitionPosition) -> Self {
        (one.partition, one.generation, one.position)
    }
}

impl Positions {
    pub(super) fn new(partitions: impl IntoIterator<Item = PartitionPosition>) -> Self {
        let mut partitions: Vec<_> = partitions.into_iter().collect();
        partitions.sort_unstable_by_key(|one| one.partition);
        Self(partitions)
    }

    /// Whether all that is in `other` is in this one, too.
    pub(super) fn reach(&self, other: &Self) -> bool {
        other.0.iter().all(|theirs| {
            self.of(theirs.partition).is_some_and(|ours| {
                ours.generation >= theirs.generation && ours.position >= theirs.position
            })
        })
    }

    fn of(&self, partition: i32) -> Option<PartitionPosition> {
        self.0.iter().find(|one| one.partition == partition).copied()
    }

    /// Whether a change that made `to` is in this one.
    fn include(&self, change: &Changed, to: &Self) -> bool {
        let generation = to.of(change.partition).map_or(0, |one| one.generation);
        self.of(change.partition)
            .is_some_and(|one| (one.generation, one.position) >= (generation, change.position))
    }

    /// Whether this one has more of a partition than `other`.
    fn exceed(&self, other: &Self, partition: i32) -> bool {
        let position = |of: &Self| of.of(partition).map_or(0, |one| one.position);
        position(self) > position(other)
    }
}

/// What made one catalog of the one before it.
#[derive(Debug)]
pub(super) struct Batch {
    from: Positions,
    to: Positions,
    /// Whether the positions tell which of the changes a catalog in between had.
    in_order: bool,
    changed: Vec<Changed>,
    at: Instant,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Changed {
    pub(super) movie_id: MovieId,
    pub(super) before: Option<Arc<CatalogMovie>>,
    /// What it became.
    pub(super) partition: i32,
    pub(super) position: u64,
    pub(super) version: u64,
}

impl Batch {
    pub(super) fn new(
        from: Positions,
        to: Positions,
        in_order: bool,
        changed: Vec<Changed>,
    ) -> Self {
        let of_movies: usize = changed
            .iter()
            .map(|one| size_of::<Changed>() + one.before.as_ref().map_or(0, |movie| movie.bytes()))
            .sum();
        let partitions = from.0.len() + to.0.len();
        let bytes = size_of::<Self>() + of_movies + partitions * size_of::<PartitionPosition>();
        Self { from, to, in_order, changed, at: Instant::now(), bytes }
    }
}

/// Movies that were otherwise, by what they were: none where there was no such movie.
pub(super) type Differences = HashMap<MovieId, Option<Arc<CatalogMovie>>>;

/// Why a catalog of the past can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotKept {
    /// It is too long ago, or from before this process began.
    Forgotten,
    /// Another process has gone further than this one.
    NotYet,
}

#[derive(Debug, Clone)]
pub(super) struct Past {
    /// Newest last.
    batches: Vector<Arc<Batch>>,
    bytes: usize,
    limits: PastLimits,
}

impl Past {
    pub(super) fn none(limits: PastLimits) -> Self {
        Self { batches: Vector::new(), bytes: 0, limits }
    }

    pub(super) fn forgotten(&self) -> Self {
        Self::none(self.limits)
    }

    pub(super) fn push(&mut self, batch: Batch) {
        let now = batch.at;
        self.bytes += batch.bytes;
        self.batches.push_back(Arc::new(batch));
        while let Some(oldest) = self.batches.front()
            && (self.bytes > self.limits.bytes || now - oldest.at > self.limits.age)
        {
            self.bytes -= oldest.bytes;
            self.batches.pop_front();
        }
    }

    /// What is to be undone of a catalog at `now` to have the one at `then`.
    pub(super) fn differences(
        &self,
        now: &Positions,
        then: &Positions,
    ) -> Result<Differences, NotKept> {
        if !now.reach(then) {
            return Err(NotKept::NotYet);
        }
        let mut differences = Differences::new();
        // From the newest on, so that what is undone last is what it was then.
        for batch in self.batches.iter().rev() {
            if then.reach(&batch.to) {
                return Ok(differences);
            }
            let all = batch.from.reach(then);
            if !all && !batch.in_order {
                return Err(NotKept::Forgotten);
            }
            for one in batch.changed.iter().filter(|one| all || !then.include(one, &batch.to)) {
                let version_before = one.before.as_ref().map_or(0, |movie| movie.version);
                if version_before + 1 < one.version && then.exceed(&batch.from, one.partition) {
                    // It may have had a version that this process has not seen.
                    return Err(NotKept::Forgotten);
                }
                differences.insert(one.movie_id, one.before.clone());
            }
        }
        let kept = self.batches.front().map_or(now, |oldest| &oldest.from);
        if then.reach(kept) { Ok(differences) } else { Err(NotKept::Forgotten) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PastLimits = PastLimits { age: Duration::from_secs(60), bytes: 10_000 };

    /// Of partitions 0 and 1.
    fn at(generation: u64, first: u64, second: u64) -> Positions {
        let of = |partition, position| PartitionPosition { partition, generation, position };
        Positions::new([of(1, second), of(0, first)])
    }

    fn id(n: u128) -> MovieId {
        MovieId::new(uuid::Uuid::from_u128(n))
    }

    /// A movie that was not there before.
    fn new(n: u128, partition: i32, position: u64, version: u64) -> Changed {
        Changed { movie_id: id(n), before: None, partition, position, version }
    }

    fn ids(differences: Result<Differences, NotKept>) -> Result<Vec<MovieId>, NotKept> {
        differences.map(|differences| {
            let mut ids: Vec<_> = differences.into_keys().collect();
            ids.sort_unstable();
            ids
        })
    }

    #[test]
    fn what_came_later_is_undone_whoever_asks() {
        let mut past = Past::none(LIMITS);
        past.push(Batch::new(at(0, 1, 2), at(0, 3, 2), true, vec![new(3, 0, 3, 1)]));
        let changes = vec![new(5, 0, 5, 1), new(4, 1, 4, 1)];
        past.push(Batch::new(at(0, 3, 2), at(0, 5, 4), true, changes));
        let now = at(0, 5, 4);
        let since = |then: &Positions| ids(past.differences(&now, then));
        assert_eq!(since(&now), Ok(vec![]));
        assert_eq!(since(&at(0, 3, 2)), Ok(vec![id(4), id(5)]));
        assert_eq!(since(&at(0, 1, 2)), Ok(vec![id(3), id(4), id(5)]));
        // As another process saw them: one partition further than the other.
        assert_eq!(since(&at(0, 3, 4)), Ok(vec![id(5)]));
        assert_eq!(since(&at(0, 1, 4)), Ok(vec![id(3), id(5)]));
        assert_eq!(since(&at(0, 0, 2)), Err(NotKept::Forgotten));
        assert_eq!(since(&at(0, 6, 4)), Err(NotKept::NotYet));
    }

    #[test]
    fn a_version_that_was_not_seen_is_not_made_up() {
        let mut past = Past::none(LIMITS);
        past.push(Batch::new(at(0, 1, 0), at(0, 9, 0), true, vec![new(1, 0, 9, 3)]));
        let since = |then: &Positions| ids(past.differences(&at(0, 9, 0), then));
        assert_eq!(since(&at(0, 1, 0)), Ok(vec![id(1)]));
        assert_eq!(since(&at(0, 8, 0)), Err(NotKept::Forgotten));
    }

    #[test]
    fn what_changed_out_of_order_is_undone_as_a_whole_or_not_at_all() {
        let mut past = Past::none(LIMITS);
        past.push(Batch::new(at(0, 3, 0), at(1, 5, 0), false, vec![new(2, 0, 2, 1)]));
        let since = |then: &Positions| ids(past.differences(&at(1, 5, 0), then));
        assert_eq!(since(&at(0, 3, 0)), Ok(vec![id(2)]));
        assert_eq!(since(&at(0, 4, 0)), Err(NotKept::Forgotten));
        assert_eq!(since(&at(1, 5, 0)), Ok(vec![]));
    }

    #[test]
    fn the_past_has_an_end() {
        let mut past = Past::none(LIMITS);
        for n in 0..1_000 {
            let changed = vec![new(n.into(), 0, n + 1, 1)];
            past.push(Batch::new(at(0, n, 0), at(0, n + 1, 0), true, changed));
        }
        assert!(past.bytes <= LIMITS.bytes && past.batches.len() > 10);
        let now = at(0, 1_000, 0);
        assert_eq!(ids(past.differences(&now, &at(0, 990, 0))).map(|ids| ids.len()), Ok(10));
        assert_eq!(ids(past.differences(&now, &at(0, 1, 0))), Err(NotKept::Forgotten));
        past.limits.age = Duration::ZERO;
        past.push(Batch::new(now.clone(), at(0, 1_001, 0), true, Vec::new()));
        assert!(past.batches.len() <= 1);
    }
}
