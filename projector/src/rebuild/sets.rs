//! Sets of tables as wholes: making, dropping, and telling what is in them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use marquee_infra::{clock, event_log::MovieCursor};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, MySqlConnection, MySqlPool, types::Json};

use crate::{
    catalog::{TABLES, TableSet},
    failure,
};

const NO_SUCH_TABLE: u16 = 1146;

/// The one row of a set's `catalog_contents`.
#[derive(Debug, Clone, FromRow)]
pub struct Contents {
    pub position: u64,
    pub log_head: u64,
    pub epoch: u64,
    pub broken: Json<BTreeMap<MovieId, Broken>>,
    pub begun_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// While it is filled movie by movie: the last event that it has. Then `position` is how many it
    /// has of those up to `log_head`.
    #[sqlx(skip)]
    pub by_movie: Option<MovieCursor>,
}

/// A movie whose next event can't be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Its last good one.
    pub version: u64,
    pub error: String,
}

/// None if there is no such set, or if it was not made to the end.
pub async fn contents(pool: &MySqlPool, set: TableSet) -> Result<Option<Contents>, sqlx::Error> {
    let table = set.name("catalog_contents");
    let sql = format!(
        "SELECT position, log_head, epoch, broken, begun_at, updated_at FROM {table} WHERE id = 1"
    );
    match sqlx::query_as(&sql).fetch_optional(pool).await {
        Err(error) if failure::mysql_error_number(&error) == Some(NO_SUCH_TABLE) => Ok(None),
        found => found,
    }
}

/// Where the filling movie by movie was broken off. For a set that is like the one in use: older ones
/// have no columns for it.
pub async fn by_movie(pool: &MySqlPool, set: TableSet) -> Result<Option<MovieCursor>, sqlx::Error> {
    let table = set.name("catalog_contents");
    let sql = format!(
        "SELECT CONVERT(by_movie_id USING utf8mb4), by_movie_sequence FROM {table} WHERE id = 1"
    );
    let (movie_id, sequence): (Option<String>, Option<u64>) =
        sqlx::query_as(&sql).fetch_one(pool).await?;
    let Some((movie_id, sequence)) = movie_id.zip(sequence) else { return Ok(None) };
    let movie_id = movie_id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Some(MovieCursor { movie_id, sequence }))
}

/// Makes an empty set. Its row is its last part: without it, there is no such set.
pub async fn create(
    connection: &mut MySqlConnection,
    set: TableSet,
    epoch: u64,
) -> Result<(), sqlx::Error> {
    drop_all(connection, set).await?;
    for table in TABLES {
        let sql = format!("CREATE TABLE {} LIKE {table}", set.name(table));
        sqlx::query(&sql).execute(&mut *connection).await?;
    }
    let table = set.name("catalog_contents");
    let sql = format!(
        "INSERT INTO {table} (id, position, log_head, epoch, broken, begun_at, updated_at)
         VALUES (1, 0, 0, ?, '{{}}', ?, ?)"
    );
    let now = clock::now();
    sqlx::query(&sql).bind(epoch).bind(now).bind(now).execute(connection).await?;
    Ok(())
}

/// In one statement: all of the set, or nothing.
pub async fn drop_all(connection: &mut MySqlConnection, set: TableSet) -> Result<(), sqlx::Error> {
    let sql = format!("DROP TABLE IF EXISTS {}", set.names().join(", "));
    sqlx::query(&sql).execute(connection).await?;
    Ok(())
}

/// Makes this run the only one that may write the set.
pub async fn claim(pool: &MySqlPool, set: TableSet, epoch: u64) -> Result<(), sqlx::Error> {
    let table = set.name("catalog_contents");
    let sql = format!("UPDATE {table} SET epoch = ? WHERE id = 1 AND epoch < ?");
    let claimed = sqlx::query(&sql).bind(epoch).bind(epoch).execute(pool).await?.rows_affected();
    if claimed == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Whether its tables are like those in use. A migration changes only these.
pub async fn is_alike(
    connection: &mut MySqlConnection,
    set: TableSet,
) -> Result<bool, sqlx::Error> {
    for table in TABLES {
        let live = shape(connection, table).await?;
        if live != shape(connection, &set.name(table)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A table's columns and indexes.
async fn shape(connection: &mut MySqlConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT CONVERT(shape USING utf8mb4) FROM (
             SELECT 1 AS part, '' AS name, ordinal_position AS ordinal,
                 CONCAT_WS(' ', column_name, column_type, is_nullable, collation_name) AS shape
             FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?
             UNION ALL
             SELECT 2, index_name, seq_in_index,
                 CONCAT_WS(' ', index_name, non_unique, index_type, column_name)
             FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ?
         ) AS shapes ORDER BY part, name, ordinal",
    )
    .bind(table)
    .bind(table)
    .fetch_all(connection)
    .await
}
