//! Sets of positions: a bit for each, and as ranges for people.

use std::fmt;

use serde::{Serialize, Serializer};

/// A set of positions up to a limit: 125 kB for a million.
#[derive(Debug)]
pub struct Positions {
    bits: Vec<u64>,
    limit: u64,
}

impl Positions {
    pub fn up_to(limit: u64) -> Self {
        let words = usize::try_from(limit / 64 + 1).unwrap_or(usize::MAX);
        Self { bits: vec![0; words], limit }
    }

    /// Whether it is new. What is above the limit is not taken, and never new.
    pub fn insert(&mut self, position: u64) -> bool {
        if position > self.limit {
            return false;
        }
        let (word, bit) = Self::place(position);
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }

    pub fn contains(&self, position: u64) -> bool {
        let (word, bit) = Self::place(position);
        self.bits.get(word).is_some_and(|found| found & bit != 0)
    }

    fn place(position: u64) -> (usize, u64) {
        (usize::try_from(position / 64).unwrap_or(usize::MAX), 1 << (position % 64))
    }
}

/// Positions from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: u64,
    pub to: u64,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.from, self.to].serialize(serializer)
    }
}

/// The positions of `from..=to` for which `wanted` holds, as ranges.
pub fn ranges(from: u64, to: u64, wanted: impl Fn(u64) -> bool) -> impl Iterator<Item = Range> {
    let mut next = from;
    std::iter::from_fn(move || {
        let start = (next..=to).find(|position| wanted(*position))?;
        let end = (start + 1..=to).find(|position| !wanted(*position)).map_or(to, |end| end - 1);
        next = end + 1;
        Some(Range { from: start, to: end })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_what_is_new_and_what_it_never_takes() {
        let mut set = Positions::up_to(128);
        for position in [1, 63, 64, 65, 128] {
            assert!(set.insert(position));
            assert!(!set.insert(position));
            assert!(set.contains(position));
        }
        assert!(!set.contains(2));
        assert!(!set.insert(129));
        assert!(!set.insert(u64::MAX));
        assert!(!set.contains(u64::MAX));
    }

    #[test]
    fn ranges_are_compressed_and_complete() {
        let shown = |wanted: &[u64], from, to| -> Vec<String> {
            ranges(from, to, |position| wanted.contains(&position))
                .map(|range| range.to_string())
                .collect()
        };
        assert_eq!(shown(&[], 1, 9), Vec::<String>::new());
        assert_eq!(shown(&[1, 2, 3, 5, 8, 9], 1, 9), ["1-3", "5", "8-9"]);
        assert_eq!(shown(&[1, 2, 3, 5, 8, 9], 2, 8), ["2-3", "5", "8"]);
        assert_eq!(shown(&[1], 2, 1), Vec::<String>::new());
    }
}
