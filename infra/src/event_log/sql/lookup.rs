//! What the append transaction, and those around it, read.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use marquee_domain::{
    MovieId, UserId,
    values::{Slug, TitleKey},
};
use sqlx::{
    MySql, MySqlConnection, Row,
    mysql::{MySqlArguments, MySqlRow},
    query::Query,
    types::Json,
};

use super::shape::{decode_error, list, padded, signed};
use crate::event_log::{
    IdempotencyKey, StoredResponse,
    prepared::Prepared,
    settle::{Known, KnownReceipt},
};

/// Reads at once whatever has to be known to settle `batch`.
pub(in crate::event_log) async fn look_up(
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
    for (kind, column, wanted) in
        [("TITLE", "title_key", titles.len()), ("SLUG", "slug", slugs.len())]
    {
        if wanted > 0 {
            write_names_branch(&mut sql, kind, column, width);
        }
    }
    if !receipts.is_empty() {
        sql.push_str(
            " UNION ALL SELECT 'R', caller, idempotency_key, status, CAST(0 AS UNSIGNED), \
             request_sha256, response FROM command_receipts WHERE ",
        );
        // Not a list of pairs: MariaDB would read the whole table for one.
        sql.push_str(&list("(caller = ? AND idempotency_key = ?)", " OR ", width));
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

fn write_names_branch(sql: &mut String, kind: &str, column: &str, width: usize) {
    let values = list("?", ", ", width);
    // Writing to a String cannot fail.
    let _ = write!(
        sql,
        " UNION ALL SELECT '{kind}', {column}, movie_id, CAST(0 AS UNSIGNED), CAST(0 AS UNSIGNED), \
         NULL, NULL FROM movie_names WHERE {column} IN ({values})"
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
pub(in crate::event_log) async fn look_up_slugs(
    connection: &mut MySqlConnection,
    known: &mut Known,
    wanted: &[String],
) -> Result<(), sqlx::Error> {
    let width = wanted.len().next_power_of_two();
    let sql = format!("SELECT slug FROM movie_names WHERE slug IN ({})", list("?", ", ", width));
    let mut query = sqlx::query(&sql);
    for slug in padded(wanted, width) {
        query = query.bind(slug);
    }
    for row in query.fetch_all(connection).await? {
        known.slugs_taken.insert(text(&row, "slug")?);
    }
    known.slugs_asked.extend(wanted.iter().cloned());
    Ok(())
}

pub(in crate::event_log) async fn find_title_holder<'c>(
    executor: impl sqlx::Executor<'c, Database = MySql>,
    key: &TitleKey,
) -> Result<Option<MovieId>, sqlx::Error> {
    sqlx::query("SELECT movie_id FROM movie_names WHERE title_key = ?")
        .bind(key.as_str())
        .fetch_optional(executor)
        .await?
        .map(|row| id(&text(&row, "movie_id")?))
        .transpose()
}

/// Which of these title keys are held.
pub(in crate::event_log) async fn titles_taken<'c>(
    executor: impl sqlx::Executor<'c, Database = MySql>,
    keys: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let width = keys.len().next_power_of_two();
    let sql = format!(
        "SELECT title_key FROM movie_names WHERE title_key IN ({})",
        list("?", ", ", width)
    );
    let mut query = sqlx::query(&sql);
    for key in padded(keys, width) {
        query = query.bind(key);
    }
    query.fetch_all(executor).await?.iter().map(|row| text(row, "title_key")).collect()
}

pub(in crate::event_log) async fn find_receipt<'c>(
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
pub(in crate::event_log) async fn metadata_at(
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
