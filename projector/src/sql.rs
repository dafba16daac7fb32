//! Multi-row statements in few shapes. sqlx and MySQL cache prepared statements by their text:
//! were there one for every number of rows, nothing would ever be found in the caches.

use sqlx::{MySql, QueryBuilder};

/// `rows` in runs whose lengths are powers of two, at most `max` (a power of two itself).
pub fn runs<T>(mut rows: &[T], max: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let largest_power = 1 << rows.len().checked_ilog2()?;
        let (run, rest) = rows.split_at(max.min(largest_power));
        rows = rest;
        Some(run)
    })
}

/// Appends `(?, ?, ...)`, with the last value repeated until their number is a power of two.
pub fn push_list<'a, T>(query: &mut QueryBuilder<'a, MySql>, values: &'a [T])
where
    &'a T: sqlx::Encode<'a, MySql> + sqlx::Type<MySql> + 'a,
{
    query.push("(");
    let mut list = query.separated(", ");
    for index in 0..values.len().next_power_of_two() {
        if let Some(value) = values.get(index).or(values.last()) {
            list.push_bind(value);
        }
    }
    query.push(")");
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn runs_hold_every_row_once_in_few_lengths() {
        let rows: Vec<usize> = (0..300).collect();
        let lengths: Vec<usize> = runs(&rows, 128).map(<[usize]>::len).collect();
        assert_eq!(lengths, [128, 128, 32, 8, 4]);
        assert_eq!(runs(&rows, 128).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(runs::<usize>(&[], 128).count(), 0);
    }
}
