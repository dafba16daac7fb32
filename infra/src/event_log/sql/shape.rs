//! The shape of the statements. Lists are padded to powers of two, and multi-row inserts cut to a few
//! sizes, so that there are few different statements and the server has each of them prepared.

/// The most rows one INSERT writes.
const MAX_ROWS: usize = 256;
/// Above this many rows, INSERTs have a multiple of it.
const ROW_STEP: usize = 16;

/// How many different statements a session may have prepared: every size of every INSERT, with room
/// for all others.
pub(in crate::event_log) const PREPARED_STATEMENTS: usize = 256;

pub(super) fn list(item: &str, separator: &str, count: usize) -> String {
    vec![item; count].join(separator)
}

/// `items`, the last of them repeated until there are `width`. Nothing stays nothing.
pub(super) fn padded<T>(items: &[T], width: usize) -> impl Iterator<Item = &T> {
    let missing = if items.is_empty() { 0 } else { width - items.len() };
    items.iter().chain(items.last().into_iter().cycle().take(missing))
}

/// `items` in pieces: as large as can be, down to multiples of 16, and the few that are left.
pub(super) fn even_chunks<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let room = items.len().min(MAX_ROWS);
        let size = if room < ROW_STEP { room } else { room - room % ROW_STEP };
        if size == 0 {
            return None;
        }
        let (chunk, rest) = items.split_at(size);
        items = rest;
        Some(chunk)
    })
}

/// mysql-es reads `sequence` as a signed number, so the column is one.
pub(super) fn signed(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

pub(super) fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_all_items_in_order_in_few_sizes() {
        let mut sizes = std::collections::BTreeSet::new();
        for count in 0..1_000 {
            let items: Vec<usize> = (0..count).collect();
            let chunks: Vec<&[usize]> = even_chunks(&items).collect();
            assert_eq!(chunks.concat(), items);
            assert!(chunks.len() <= count / MAX_ROWS + 2);
            sizes.extend(chunks.iter().map(|chunk| chunk.len()));
        }
        // Events, names, released titles, receipts.
        assert!(sizes.len() * 4 < PREPARED_STATEMENTS);
    }
}
