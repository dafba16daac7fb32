//! The shape of the statements: lists are padded, and multi-row inserts cut, to powers of two. So
//! there are few different statements, and the server has each of them prepared already.

/// The most rows one INSERT writes.
const MAX_ROWS: usize = 64;

pub(super) fn list(item: &str, separator: &str, count: usize) -> String {
    vec![item; count].join(separator)
}

/// `items`, the last of them repeated until there are `width`. Nothing stays nothing.
pub(super) fn padded<T>(items: &[T], width: usize) -> impl Iterator<Item = &T> {
    let missing = if items.is_empty() { 0 } else { width - items.len() };
    items.iter().chain(items.last().into_iter().cycle().take(missing))
}

/// `items` in pieces of 64, 32, 16, ... 1.
pub(super) fn power_of_two_chunks<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let room = items.len().min(MAX_ROWS);
        let size = if room == 0 { return None } else { 1 << room.ilog2() };
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
