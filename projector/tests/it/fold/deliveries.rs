//! How a log comes by Kafka when everything goes wrong that can: made from a log and a seed alone.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use marquee_domain::MovieId;

use crate::bed::Recorded;

/// Of how many records one is delivered again, and of how many one comes after its movie's next one.
const DOUBLED_OF: usize = 4;
const EXCHANGED_OF: usize = 8;
/// So much later a copy comes, at most.
const FARTHEST: usize = 60;

#[derive(Debug)]
pub struct Deliveries {
    pub records: Vec<Recorded>,
    pub doubled: usize,
    pub exchanged: usize,
    /// Records that come after one of a later position.
    pub behind: usize,
}

impl Deliveries {
    /// The movies' events shuffled among each other, some exchanged with their movie's next one, and
    /// some delivered twice.
    pub fn of(log: &[Recorded], choice: &mut Rng) -> Self {
        let mut records = shuffled(log, choice);
        let exchanged = exchange(&mut records, choice);
        let doubled = double(&mut records, choice);
        let mut last = 0;
        let behind = records.iter().filter(|record| {
            last = last.max(record.position);
            record.position < last
        });
        Self { doubled, exchanged, behind: behind.count(), records }
    }
}

/// Any order that keeps each movie's.
fn shuffled(log: &[Recorded], choice: &mut Rng) -> Vec<Recorded> {
    let mut waiting: BTreeMap<MovieId, VecDeque<Recorded>> = BTreeMap::new();
    let mut turns: Vec<MovieId> = Vec::with_capacity(log.len());
    for recorded in log {
        waiting.entry(recorded.movie_id).or_default().push_back(recorded.clone());
        turns.push(recorded.movie_id);
    }
    choice.shuffle(&mut turns);
    turns.iter().filter_map(|movie_id| waiting.get_mut(movie_id)?.pop_front()).collect()
}

fn exchange(records: &mut [Recorded], choice: &mut Rng) -> usize {
    let mut exchanged = 0;
    for first in 0..records.len() {
        let movie_id = records[first].movie_id;
        let later = records[first + 1..].iter().position(|other| other.movie_id == movie_id);
        if let Some(later) = later.filter(|_| choice.usize(..EXCHANGED_OF) == 0) {
            records.swap(first, first + 1 + later);
            exchanged += 1;
        }
    }
    exchanged
}

fn double(records: &mut Vec<Recorded>, choice: &mut Rng) -> usize {
    let mut doubled = 0;
    for index in (0..records.len()).rev() {
        if choice.usize(..DOUBLED_OF) == 0 {
            let at = (index + choice.usize(1..=FARTHEST)).min(records.len());
            records.insert(at, records[index].clone());
            doubled += 1;
        }
    }
    doubled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::histories;

    #[test]
    fn every_event_is_delivered_and_nothing_else() {
        let log = histories::random(&mut Rng::with_seed(2), 20, 200).events;
        let deliveries = Deliveries::of(&log, &mut Rng::with_seed(3));
        assert!(deliveries.doubled > 0 && deliveries.exchanged > 0 && deliveries.behind > 0);
        assert_eq!(deliveries.records.len(), log.len() + deliveries.doubled);
        let mut positions: Vec<u64> = deliveries.records.iter().map(|it| it.position).collect();
        positions.sort_unstable();
        positions.dedup();
        assert!(positions.into_iter().eq(1..=log.len() as u64));
    }
}
