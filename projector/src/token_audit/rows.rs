//! Writing rows that are there once and never change, however often their events come.

use std::collections::HashSet;

use sqlx::{MySql, MySqlConnection, QueryBuilder, Row, query_builder::Separated};

use crate::{failure::Failure, sql};

const MAX_ROWS: usize = 128;
const MAX_IDS: usize = 1_024;

pub(crate) trait AuditRow {
    const TABLE: &'static str;
    /// The id, by which the table is looked into, then `movie_id`, then the others.
    const COLUMNS: &'static [&'static str];

    /// The first two columns.
    fn key(&self) -> (String, String);

    /// All of them, in their order.
    fn bind<'a>(&'a self, row: Separated<'_, 'a, MySql, &'static str>);
}

/// The first row of each key, unless it is there already. Answers how many had nothing to add.
pub(super) async fn write<R: AuditRow>(
    tx: &mut MySqlConnection,
    mut rows: Vec<R>,
) -> Result<usize, Failure> {
    let told = rows.len();
    let mut seen = known(tx, &rows).await?;
    rows.retain(|row| seen.insert(row.key()));
    for run in sql::runs(&rows, MAX_ROWS) {
        let columns = R::COLUMNS.join(", ");
        let mut insert = QueryBuilder::new(format!("INSERT INTO {} ({columns}) ", R::TABLE));
        insert.push_values(run, |row, value| value.bind(row));
        insert.build().execute(&mut *tx).await?;
    }
    Ok(told - rows.len())
}

/// The keys of those that are there. Asked first, so that nothing is ever updated: the service's
/// database user needs no more than INSERT and SELECT here.
pub(crate) async fn known<R: AuditRow>(
    connection: &mut MySqlConnection,
    rows: &[R],
) -> Result<HashSet<(String, String)>, sqlx::Error> {
    let ids: Vec<String> = rows.iter().map(|row| row.key().0).collect();
    let mut known = HashSet::with_capacity(ids.len());
    for ids in ids.chunks(MAX_IDS) {
        let id = R::COLUMNS[0];
        let mut select =
            QueryBuilder::new(format!("SELECT {id}, movie_id FROM {} WHERE {id} IN ", R::TABLE));
        sql::push_list(&mut select, ids);
        for row in select.build().fetch_all(&mut *connection).await? {
            known.insert((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?));
        }
    }
    Ok(known)
}
