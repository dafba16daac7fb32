//! How far the topic has the read models, per partition of the movie events.

use std::collections::BTreeMap;

use marquee_infra::kafka::Mark;

use super::rows::Checkpoint;

/// Everything that the read models had at this position is on the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub position: u64,
    /// Of the read models. When it changes, rows were changed out of position order.
    pub generation: u64,
}

pub type Cursors = BTreeMap<i32, Cursor>;

impl Cursor {
    pub fn mark(self, partition: i32) -> Mark {
        Mark {
            partition,
            // A position is the number of events that there are; 2^63 of them there will not be.
            offset: i64::try_from(self.position).unwrap_or(i64::MAX),
            note: self.generation.to_string(),
        }
    }

    /// None if it is not one of ours: then the partition is published anew.
    pub fn from_mark(mark: &Mark) -> Option<Self> {
        Some(Self { position: mark.offset.try_into().ok()?, generation: mark.note.parse().ok()? })
    }
}

/// The position after which changed movies are to be published, if there can be any.
///
/// Read models that are behind the topic (restored from a backup, or made from nothing) are waited
/// for: what they hold is older than what was published.
pub fn next(cursor: Option<Cursor>, checkpoint: &Checkpoint) -> Option<u64> {
    match cursor {
        None => (checkpoint.position > 0).then_some(0),
        Some(cursor) if checkpoint.position < cursor.position => None,
        Some(cursor) if checkpoint.generation != cursor.generation => Some(0),
        Some(cursor) => (checkpoint.position > cursor.position).then_some(cursor.position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn checkpoint(position: u64, generation: u64) -> Checkpoint {
        Checkpoint { kafka_partition: 0, position, generation }
    }

    #[test]
    fn it_goes_on_or_begins_anew_or_waits() {
        let cursor = Some(Cursor { position: 7, generation: 1 });
        for (cursor, position, generation, expected) in [
            (None, 0, 0, None),
            (None, 9, 3, Some(0)),
            (cursor, 7, 1, None),
            (cursor, 9, 1, Some(7)),
            (cursor, 6, 1, None),
            (cursor, 6, 2, None),
            (cursor, 6, 0, None),
            (cursor, 7, 2, Some(0)),
            (cursor, 9, 0, Some(0)),
        ] {
            assert_eq!(next(cursor, &checkpoint(position, generation)), expected);
        }
    }

    #[test]
    fn a_cursor_survives_the_trip() {
        let cursor = Cursor { position: 7, generation: 12 };
        assert_eq!(Cursor::from_mark(&cursor.mark(3)), Some(cursor));
        for (offset, note) in [(-1, "0"), (7, ""), (7, "x")] {
            let mark = Mark { partition: 0, offset, note: note.to_owned() };
            assert_eq!(Cursor::from_mark(&mark), None);
        }
    }
}
