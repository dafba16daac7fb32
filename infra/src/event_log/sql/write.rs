//! What the append transaction writes. Every statement checks how many rows it has touched.

use chrono::{DateTime, Utc};
use marquee_domain::UserId;
use sqlx::{MySqlConnection, query::Query};
use thiserror::Error;

use super::shape::{decode_error, even_chunks, list, signed};
use crate::event_log::{
    IdempotencyKey, StoredResponse,
    prepared::{EventRow, Prepared},
    settle::NameChanges,
};

/// Locks the head, moves it by `count`, and answers where it stood: three things in one round trip.
/// From here on this transaction is the only writer.
pub(in crate::event_log) async fn take_head(
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
pub(in crate::event_log) async fn set_head(
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
pub(in crate::event_log) async fn lock_head(
    connection: &mut MySqlConnection,
) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT position FROM event_log_head WHERE id = 1 FOR UPDATE")
        .fetch_one(connection)
        .await
}

/// An event with all that its row needs.
pub(in crate::event_log) struct NewEvent<'a> {
    pub(in crate::event_log) position: u64,
    pub(in crate::event_log) sequence: u64,
    pub(in crate::event_log) command: &'a Prepared,
    pub(in crate::event_log) row: &'a EventRow,
}

pub(in crate::event_log) async fn insert_events(
    connection: &mut MySqlConnection,
    events: &[NewEvent<'_>],
) -> Result<(), sqlx::Error> {
    for rows in even_chunks(events) {
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
                .bind(event.row.payload.get())
                .bind(&event.command.metadata)
                .bind(event.command.recorded_at);
        }
        expect_rows(rows.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

pub(in crate::event_log) async fn write_names(
    connection: &mut MySqlConnection,
    names: &NameChanges,
) -> Result<(), sqlx::Error> {
    for keys in even_chunks(&names.released) {
        let sql = format!(
            "UPDATE movie_names SET title_key = NULL WHERE title_key IN ({})",
            list("?", ", ", keys.len())
        );
        let query = keys.iter().fold(sqlx::query(&sql), Query::bind);
        expect_rows(keys.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    for (slug, title_key) in &names.retitled {
        let done = sqlx::query("UPDATE movie_names SET title_key = ? WHERE slug = ?")
            .bind(title_key)
            .bind(slug.as_str())
            .execute(&mut *connection)
            .await?;
        expect_rows(1, done.rows_affected())?;
    }
    for rows in even_chunks(&names.added) {
        let sql = format!(
            "INSERT INTO movie_names (slug, title_key, movie_id) VALUES {}",
            list("(?, ?, ?)", ", ", rows.len())
        );
        let mut query = sqlx::query(&sql);
        for name in rows {
            query = query
                .bind(name.slug.as_str())
                .bind(name.title_key.as_deref())
                .bind(name.movie_id.to_string());
        }
        expect_rows(rows.len(), query.execute(&mut *connection).await?.rows_affected())?;
    }
    Ok(())
}

/// A receipt with all that its row needs.
pub(in crate::event_log) struct ReceiptRow<'a> {
    pub(in crate::event_log) caller: UserId,
    pub(in crate::event_log) key: &'a IdempotencyKey,
    pub(in crate::event_log) request_sha256: &'a [u8; 32],
    pub(in crate::event_log) response: &'a StoredResponse,
    pub(in crate::event_log) recorded_at: DateTime<Utc>,
}

pub(in crate::event_log) async fn insert_receipts(
    connection: &mut MySqlConnection,
    receipts: &[ReceiptRow<'_>],
) -> Result<(), sqlx::Error> {
    for rows in even_chunks(receipts) {
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

/// A write that did not touch the rows it should have: the tables are not what this code believes.
#[derive(Debug, Error)]
#[error("{actual} rows were written instead of {expected}")]
struct UnexpectedRowCount {
    expected: usize,
    actual: u64,
}

/// Whether the rows did not fit to those that are there: a key that is taken, or one that should be
/// there and is not.
pub(in crate::event_log) fn is_collision(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.is_unique_violation(),
        sqlx::Error::Decode(error) => error.is::<UnexpectedRowCount>(),
        _ => false,
    }
}

fn expect_rows(expected: usize, actual: u64) -> Result<(), sqlx::Error> {
    if actual == expected as u64 {
        Ok(())
    } else {
        Err(decode_error(UnexpectedRowCount { expected, actual }))
    }
}
