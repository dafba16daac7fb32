//! The SQL of viewing sessions: it reads what the projector wrote, and writes nothing.

use chrono::{DateTime, NaiveDateTime, Utc};
use marquee_domain::ViewingSessionId;
use sqlx::{MySqlConnection, prelude::FromRow, types::Json};

use super::reader::{Filter, Place};
use crate::text::Text;

/// Every statement, for the test that prepares them all.
pub const STATEMENTS: [&str; 6] =
    [BY_ID, NEWEST, BY_MOVIE, BY_ERRORS, BY_MOVIE_AND_ERRORS, BY_TOKEN];

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT session_id, movie_id, viewer_id, anonymous_id, token_id, device_type, \
             started_at, ended_at, end_reason, completion_percent, watched_seconds, \
             player_errors, player_state, last_seen_at FROM viewing_sessions WHERE ",
            $condition
        )
    };
}

/// The newest first, of those that began in a time, after a place in the list.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            select!($condition),
            "started_at >= ? AND started_at <= ? AND (started_at < ? OR session_id < ?) \
             ORDER BY started_at DESC, session_id DESC LIMIT ?"
        )
    };
}

const BY_ID: &str = select!("session_id = ?");
const NEWEST: &str = page!("");
const BY_MOVIE: &str = page!("movie_id = ? AND ");
const BY_ERRORS: &str = page!("has_errors = ? AND ");
const BY_MOVIE_AND_ERRORS: &str = page!("movie_id = ? AND has_errors = ? AND ");
const BY_TOKEN: &str = page!("token_id = ? AND ");

#[derive(Debug, FromRow)]
pub(super) struct SessionRow {
    pub(super) session_id: Text,
    pub(super) movie_id: Option<Text>,
    pub(super) viewer_id: Option<Text>,
    pub(super) anonymous_id: Option<Text>,
    pub(super) token_id: Option<Text>,
    pub(super) device_type: Option<Text>,
    pub(super) started_at: Option<NaiveDateTime>,
    pub(super) ended_at: Option<NaiveDateTime>,
    pub(super) end_reason: Option<Text>,
    pub(super) completion_percent: u8,
    pub(super) watched_seconds: u32,
    pub(super) player_errors: Json<Vec<String>>,
    pub(super) player_state: Option<Text>,
    pub(super) last_seen_at: Option<NaiveDateTime>,
}

pub(super) async fn by_id(
    connection: &mut MySqlConnection,
    session_id: ViewingSessionId,
) -> Result<Option<SessionRow>, sqlx::Error> {
    sqlx::query_as(BY_ID).bind(session_id.to_string()).fetch_optional(connection).await
}

/// At most `limit` sessions behind `after`.
pub(super) async fn page(
    connection: &mut MySqlConnection,
    filter: &Filter,
    after: &Place,
    limit: u32,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let query = match filter {
        Filter { token_id: Some(token_id), .. } => {
            sqlx::query_as(BY_TOKEN).bind(token_id.to_string())
        }
        Filter { movie_id: Some(movie_id), errors: Some(errors), .. } => {
            sqlx::query_as(BY_MOVIE_AND_ERRORS).bind(movie_id.to_string()).bind(*errors)
        }
        Filter { movie_id: Some(movie_id), errors: None, .. } => {
            sqlx::query_as(BY_MOVIE).bind(movie_id.to_string())
        }
        Filter { movie_id: None, errors: Some(errors), .. } => {
            sqlx::query_as(BY_ERRORS).bind(*errors)
        }
        Filter { movie_id: None, errors: None, .. } => sqlx::query_as(NEWEST),
    };
    query
        .bind(filter.from.unwrap_or(DateTime::UNIX_EPOCH))
        .bind(after.started_at)
        .bind(after.started_at)
        .bind(after.session_id.map_or_else(String::new, |id| id.to_string()))
        .bind(limit)
        .fetch_all(connection)
        .await
}

pub(super) fn utc(instant: Option<NaiveDateTime>) -> Option<DateTime<Utc>> {
    instant.map(|instant| instant.and_utc())
}
