//! The statements of the append transaction.
//!
//! Lists are padded, and multi-row inserts cut, to powers of two: so there are few different
//! statements, and the server has each of them prepared already.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use chrono::{DateTime, Utc};
use marquee_domain::{MovieId, UserId, values::Slug};
use sqlx::{
    MySql, MySqlConnection, Row, mysql::MySqlArguments, mysql::MySqlRow, query::Query, types::Json,
};
use thiserror::Error;

use super::{
    IdempotencyKey, StoredResponse,
    prepared::{EventRow, Prepared},
    settle::{Known, KnownReceipt},
};

/// The most rows one INSERT writes.
const MAX_ROWS: usize = 64;

/// Locks the head, moves it by `count`, and answers where it stood: three things in one round trip.
/// From here on this transaction is the only writer.
pub(super) async fn take_head(
    connection: &mut MySqlConnection,
    count: u64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE event_log_head SET position = LAST_INSERT_ID(position) + ? WHERE id = 1",
    )
    .bind(count)
    .execute(connection)
    .await?;
    expect_rows(1, done.rows_affected())?;
    Ok(done.last_insert_id())
}

/// Puts the head right when fewer events were accepted than it was moved by.
pub(super) async fn set_head(
    connection: &mut MySqlConnection,
    position: u64,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query("UPDATE event_log_head SET position = ? WHERE id = 1")
        .bind(position)
        .execute(connection)
        .await?;
    expect_rows(1, done.rows_affected())
}

/// Locks the head without moving it: whoever held it is done, one way or the other.
pub(super) async fn lock_head(connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT position FROM event_log_head WHERE id = 1 FOR UPDATE")
        .fetch_one(connection)
        .await
}

/// Reads at once whatever has to be known to settle `batch`.
pub(super) async fn look_up(
    connection: &mut MySqlConnection,
    batch: &[Prepared],
) -> Result<Known, sqlx::Error> {
    let mut movies: Vec<_> =
        batch.iter().map(|command| (command.movie_id, command.expected_version)).collect();
    // One range per movie: the lowest version that anyone expects.
    movies.sort_unstable();
    movies.dedup_by_key(|(movie_id, _)| *movie_id);
    let titles: HashSet<&str> = batch
        .iter()
        .flat_map(|command| [&command.releases_title, &command.claims_title])
        .flatten()
        .map(String::as_str)
        .collect();
    let slugs: HashSet<&str> =
        batch.iter().filter_map(|command| command.wanted_slug.as_ref()).map(Slug::as_str).collect();
    let receipts: HashSet<(UserId, &IdempotencyKey)> = batch
        .iter()
        .filter_map(|command| command.receipt.as_ref())
        .map(|receipt| (receipt.caller, &receipt.key))
        .collect();

    // One width for all lists, so that the number of different statements stays small.
    let width = movies.len().max(titles.len()).max(slugs.len()).max(receipts.len());
    let width = width.next_power_of_two();
    let mut sql = format!(
        "SELECT 'M' AS kind, aggregate_id AS k1, '' AS k2, CAST(MAX(sequence) AS UNSIGNED) AS n1, \
         MAX(position) AS n2, NULL AS sha, NULL AS response FROM events \
         WHERE aggregate_type = 'movie' AND ({}) GROUP BY aggregate_id",
        list("(aggregate_id = ? AND sequence >= ?)", " OR ", width)
    );
    for (kind, wanted) in [("TITLE", titles.len()), ("SLUG", slugs.len())] {
        if wanted > 0 {
            write_claims_branch(&mut sql, kind, width);
        }
    }
    if !receipts.is_empty() {
        sql.push_str(
            " UNION ALL SELECT 'R', caller, idempotency_key, status, CAST(0 AS UNSIGNED), \
             request_sha256, response FROM command_receipts WHERE (caller, idempotency_key) IN (",
        );
        sql.push_str(&list("(?, ?)", ", ", width));
        sql.push(')');
    }

    let mut query = sqlx::query(&sql);
    for (movie_id, version) in padded(&movies, width) {
        query = query.bind(movie_id.to_string()).bind(signed(*version)?);
    }
    query = bind_all(query, &titles, width);
    query = bind_all(query, &slugs, width);
    let receipts: Vec<_> = receipts.into_iter().collect();
    for (caller, key) in padded(&receipts, width) {
        query = query.bind(caller.to_string()).bind(key.as_str());
    }
    let mut known =
        Known { slugs_asked: slugs.into_iter().map(str::to_owned).collect(), ..Known::default() };
    for row in query.fetch_all(connection).await? {
        take_row(&mut known, &row)?;
    }
    Ok(known)
}

fn write_claims_branch(sql: &mut String, kind: &str, width: usize) {
    let values = list("?", ", ", width);
    // Writing to a String cannot fail.
    let _ = write!(
        sql,
        " UNION ALL SELECT kind, claim_value, movie_id, CAST(0 AS UNSIGNED), CAST(0 AS UNSIGNED), \
         NULL, NULL FROM movie_claims WHERE kind = '{kind}' AND claim_value IN ({values})"
    );
}

fn take_row(known: &mut Known, row: &MySqlRow) -> Result<(), sqlx::Error> {
    let k1 = text(row, "k1")?;
    let k2 = text(row, "k2")?;
    match text(row, "kind")?.as_str() {
        "M" => {
            let numbers = (row.try_get("n1")?, row.try_get("n2")?);
            known.movies.insert(id(&k1)?, numbers);
        }
        "TITLE" => {
            known.titles.insert(k1, id(&k2)?);
        }
        "SLUG" => {
            known.slugs_taken.insert(k1);
        }
        "R" => {
            let key = IdempotencyKey::parse(&k2).map_err(decode_error)?;
            let caller = k1.parse().map_err(decode_error)?;
            known.receipts.insert((caller, key), receipt(row, "n1")?);
        }
        kind => return Err(sqlx::Error::Decode(format!("unexpected kind {kind:?}").into())),
    }
    Ok(())
}

/// Which of these slugs are taken.
pub(super) async fn look_up_slugs(
    connection: &mut MySqlConnection,
    known: &mut Known,
    wanted: &[String],
) -> Result<(), sqlx::Error> {
    let width = wanted.len().next_power_of_two();
    let sql = format!(
        "SELECT claim_value FROM movie_claims WHERE kind = 'SLUG' AND claim_value IN ({})",
        list("?", ", ", width)
    );
    let mut query = sqlx::query(&sql);
    for slug in padded(wanted, width) {
        query = query.bind(slug);
    }
    for row in query.fetch_all(connection).await? {
        known.slugs_taken.insert(text(&row, "claim_value")?);
    }
    known.slugs_asked.extend(wanted.iter().cloned());
    Ok(())
}

/// Who holds which of these title keys.
pub(super) async fn titles_taken<'c>(
    executor: impl sqlx::Executor<'c, Database = MySql>,
    keys: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let width = keys.len().next_power_of_two();
    let sql = format!(
        "SELECT claim_value FROM movie_claims WHERE kind = 'TITLE' AND claim_value IN ({})",
        list("?", ", ", width)
    );
    let mut query = sqlx::query(&sql);
    for key in padded(keys, width) {
        query = query.bind(key);
    }
    query.fetch_all(executor).await?.iter().map(|row| text(row, "claim_value")).collect()
}

pub(super) async fn find_receipt<'c>(
    executor: impl sqlx::Executor<'c, Database = MySql>,
    caller: UserId,
    key: &IdempotencyKey,
) -> Result<Option<KnownReceipt>, sqlx::Error> {
    sqlx::query(
        "SELECT CAST(status AS UNSIGNED) AS status, request_sha256 AS sha, response \
         FROM command_receipts WHERE caller = ? AND idempotency_key = ?",
    )
    .bind(caller.to_string())
    .bind(key.as_str())
    .fetch_optional(executor)
    .await?
    .map(|row| receipt(&row, "status"))
    .transpose()
}

/// The metadata of the event at `position`.
pub(super) async fn metadata_at(
    connection: &mut MySqlConnection,
    position: u64,
) -> Result<Option<HashMap<String, String>>, sqlx::Error> {
    let found: Option<Json<_>> =
        sqlx::query_scalar("SELECT metadata FROM events WHERE position = ?")
            .bind(position)
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|Json(metadata)| metadata))
}

/// An event with all that its row needs.
pub(super) struct NewEvent<'a> {
    pub(super) position: u64,
    pub(super) sequence: u64,
    pub(super) command: &'a Prepared,
    pub(super) row: &'a EventRow,
}

pub(super) async fn insert_events(
    connection: &mut MySqlConnection,
    events: &[NewEvent<'_>],
) -> Result<(), sqlx::Error> {
    for rows in power_of_two_chunks(events) {
        let sql = format!(
            "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, \
             event_version, payload, metadata, recorded_at) VALUES {}",
            list("(?, 'movie', ?, ?, ?, ?, ?, ?, ?)", ", ", rows.len())
        );
        let mut query = sqlx::query(&sql);
        for event in rows {
            query = query
                .bind(event.position)
                .bind(event.command.movie_id.to_string())
                .bind(signed(event.sequence)?)
                .bind(&event.row.event_type)
                .bind(&event.row.event_version)
                .bind(&event.row.payload)
                .bind(&event.command.metadata)
                .bind(event.command.recorded_at);
        }
        expect_rows(rows.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

pub(super) async fn release_titles(
    connection: &mut MySqlConnection,
    keys: &[String],
) -> Result<(), sqlx::Error> {
    for keys in power_of_two_chunks(keys) {
        let sql = format!(
            "DELETE FROM movie_claims WHERE kind = 'TITLE' AND claim_value IN ({})",
            list("?", ", ", keys.len())
        );
        let query = keys.iter().fold(sqlx::query(&sql), Query::bind);
        expect_rows(keys.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

pub(super) async fn insert_claims(
    connection: &mut MySqlConnection,
    claims: &[(&str, &str, MovieId)],
) -> Result<(), sqlx::Error> {
    for rows in power_of_two_chunks(claims) {
        let sql = format!(
            "INSERT INTO movie_claims (kind, claim_value, movie_id) VALUES {}",
            list("(?, ?, ?)", ", ", rows.len())
        );
        let mut query = sqlx::query(&sql);
        for (kind, value, movie_id) in rows {
            query = query.bind(kind).bind(value).bind(movie_id.to_string());
        }
        expect_rows(rows.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

/// A receipt with all that its row needs.
pub(super) struct ReceiptRow<'a> {
    pub(super) caller: UserId,
    pub(super) key: &'a IdempotencyKey,
    pub(super) request_sha256: &'a [u8; 32],
    pub(super) response: &'a StoredResponse,
    pub(super) recorded_at: DateTime<Utc>,
}

pub(super) async fn insert_receipts(
    connection: &mut MySqlConnection,
    receipts: &[ReceiptRow<'_>],
) -> Result<(), sqlx::Error> {
    for rows in power_of_two_chunks(receipts) {
        let sql = format!(
            "INSERT INTO command_receipts (caller, idempotency_key, request_sha256, status, \
             response, recorded_at) VALUES {}",
            list("(?, ?, ?, ?, ?, ?)", ", ", rows.len())
        );
        let mut query = sqlx::query(&sql);
        for row in rows {
            query = query
                .bind(row.caller.to_string())
                .bind(row.key.as_str())
                .bind(row.request_sha256.as_slice())
                .bind(row.response.status)
                .bind(&row.response.body)
                .bind(row.recorded_at);
        }
        expect_rows(rows.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

fn receipt(row: &MySqlRow, status: &str) -> Result<KnownReceipt, sqlx::Error> {
    let request_sha256 = row.try_get::<Vec<u8>, _>("sha")?;
    Ok(KnownReceipt {
        request_sha256: request_sha256
            .try_into()
            .map_err(|_| sqlx::Error::Decode("a digest is 32 bytes".into()))?,
        response: StoredResponse {
            status: u16::try_from(row.try_get::<u64, _>(status)?).map_err(decode_error)?,
            body: text(row, "response")?,
        },
    })
}

/// sqlx takes text of a binary collation for bytes, unless it is told not to look.
fn text(row: &MySqlRow, column: &str) -> Result<String, sqlx::Error> {
    row.try_get_unchecked(column)
}

fn id(text: &str) -> Result<MovieId, sqlx::Error> {
    text.parse().map_err(decode_error)
}

fn decode_error(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// mysql-es reads `sequence` as a signed number, so the column is one.
fn signed(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// A write that did not touch the rows it should have: the tables are not what this code believes.
#[derive(Debug, Error)]
#[error("{actual} rows were written instead of {expected}")]
struct UnexpectedRowCount {
    expected: usize,
    actual: u64,
}

fn expect_rows(expected: usize, actual: u64) -> Result<(), sqlx::Error> {
    if actual == expected as u64 {
        Ok(())
    } else {
        Err(decode_error(UnexpectedRowCount { expected, actual }))
    }
}

fn list(item: &str, separator: &str, count: usize) -> String {
    vec![item; count].join(separator)
}

/// `items`, the last of them repeated until there are `width`. Nothing stays nothing.
fn padded<T>(items: &[T], width: usize) -> impl Iterator<Item = &T> {
    let missing = if items.is_empty() { 0 } else { width - items.len() };
    items.iter().chain(items.last().into_iter().cycle().take(missing))
}

fn bind_all<'q>(
    mut query: Query<'q, MySql, MySqlArguments>,
    values: &HashSet<&'q str>,
    width: usize,
) -> Query<'q, MySql, MySqlArguments> {
    let values: Vec<&'q str> = values.iter().copied().collect();
    for value in padded(&values, width) {
        query = query.bind(*value);
    }
    query
}

/// `items` in pieces of 64, 32, 16, ... 1.
fn power_of_two_chunks<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let room = items.len().min(MAX_ROWS);
        let size = if room == 0 { return None } else { 1 << room.ilog2() };
        let (chunk, rest) = items.split_at(size);
        items = rest;
        Some(chunk)
    })
}
