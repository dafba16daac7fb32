//! The table `viewing_sessions`: what a session adds up to, for those who ask, and the fold itself, for
//! the next event.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use marquee_domain::{
    ViewingSessionId,
    viewing_session::{PlayerErrorCode, PlayerState, ViewingSession},
};
use serde_json::value::RawValue;
use sqlx::{FromRow, MySqlConnection, QueryBuilder, Row as _, types::Json};

use crate::{
    failure::{Failure, mysql_error_number},
    sql,
};

const MAX_IDS: usize = 1024;
const MAX_ROWS: usize = 64;
const DUPLICATE_KEY: u16 = 1062;

const COLUMNS: &str = " (session_id, movie_id, device_type, started_at, viewer_id, anonymous_id, \
     token_id, ended_at, end_reason, completion_percent, watched_seconds, player_errors, \
     has_errors, player_state, last_seen_at, times_out_at, kafka_partition, fold) ";

const UPDATE: &str = " ON DUPLICATE KEY UPDATE movie_id = VALUES(movie_id), \
     device_type = VALUES(device_type), started_at = VALUES(started_at), \
     viewer_id = VALUES(viewer_id), anonymous_id = VALUES(anonymous_id), \
     token_id = VALUES(token_id), ended_at = VALUES(ended_at), end_reason = VALUES(end_reason), \
     completion_percent = VALUES(completion_percent), \
     watched_seconds = VALUES(watched_seconds), player_errors = VALUES(player_errors), \
     has_errors = VALUES(has_errors), player_state = VALUES(player_state), \
     last_seen_at = VALUES(last_seen_at), times_out_at = VALUES(times_out_at), \
     kafka_partition = VALUES(kafka_partition), fold = VALUES(fold)";

/// A session as it is to be written.
pub struct Row {
    pub session_id: ViewingSessionId,
    pub session: ViewingSession,
    pub partition: i32,
    pub is_new: bool,
}

pub enum Stored {
    Readable(Box<ViewingSession>),
    /// Written by a version that knew sessions differently.
    Unreadable(String),
}

/// The columns that follow from the fold.
#[derive(Debug, PartialEq, Eq, FromRow)]
pub struct Derived {
    pub movie_id: Option<String>,
    pub device_type: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub viewer_id: Option<String>,
    pub anonymous_id: Option<String>,
    pub token_id: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: Option<String>,
    pub completion_percent: u8,
    pub watched_seconds: u32,
    pub player_errors: Json<Vec<String>>,
    pub has_errors: bool,
    pub player_state: Option<String>,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub times_out_at: Option<DateTime<Utc>>,
}

impl From<&ViewingSession> for Derived {
    fn from(session: &ViewingSession) -> Self {
        let started = session.started();
        let ended = session.ended();
        let codes: Vec<String> = session.player_errors().map(PlayerErrorCode::to_string).collect();
        Self {
            movie_id: started.map(|started| started.movie_id.to_string()),
            device_type: started.map(|started| started.device_type.as_str().to_owned()),
            started_at: started.map(|started| started.started_at),
            viewer_id: started.and_then(|started| started.viewer_id).map(|id| id.to_string()),
            anonymous_id: started.and_then(|started| started.anonymous_id.clone()),
            token_id: started.and_then(|started| started.token_id).map(|id| id.to_string()),
            ended_at: ended.map(|(at, _)| at),
            end_reason: ended.map(|(_, ending)| ending.as_str().to_owned()),
            completion_percent: session.completion_percent(),
            watched_seconds: session.watched_seconds(),
            has_errors: !codes.is_empty(),
            player_errors: Json(codes),
            player_state: session.state().map(PlayerState::as_str).map(ToOwned::to_owned),
            last_seen_at: session.seen_at(),
            times_out_at: session.times_out_at(),
        }
    }
}

/// Those of the sessions that have a row, which is locked until the transaction ends: a session's
/// events may come by two partitions after the topic was given more of them.
pub async fn load(
    tx: &mut MySqlConnection,
    ids: &[String],
) -> Result<HashMap<ViewingSessionId, Stored>, Failure> {
    let mut found = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(MAX_IDS) {
        let mut select =
            QueryBuilder::new("SELECT session_id, fold FROM viewing_sessions WHERE session_id IN ");
        sql::push_list(&mut select, ids);
        select.push(" ORDER BY session_id FOR UPDATE");
        for row in select.build().fetch_all(&mut *tx).await? {
            let session_id: ViewingSessionId = row
                .try_get_unchecked::<&str, _>("session_id")?
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let Json(fold): Json<&RawValue> = row.try_get("fold")?;
            let stored = match serde_json::from_str(fold.get()) {
                Ok(session) => Stored::Readable(Box::new(session)),
                Err(error) => Stored::Unreadable(error.to_string()),
            };
            found.insert(session_id, stored);
        }
    }
    Ok(found)
}

pub async fn write(tx: &mut MySqlConnection, rows: &[Row]) -> Result<(), Failure> {
    let (new, known): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_new);
    match insert(tx, &new, "").await {
        // Another partition's worker was faster with this session: now there is a row to add to.
        Err(error) if mysql_error_number(&error) == Some(DUPLICATE_KEY) => {
            return Err(Failure::Contention(error));
        }
        inserted => inserted?,
    }
    Ok(insert(tx, &known, UPDATE).await?)
}

async fn insert(
    tx: &mut MySqlConnection,
    rows: &[&Row],
    on_duplicate: &str,
) -> Result<(), sqlx::Error> {
    for run in sql::runs(rows, MAX_ROWS) {
        let mut insert = QueryBuilder::new("INSERT INTO viewing_sessions");
        insert.push(COLUMNS);
        insert.push_values(run, |mut values, row| {
            let derived = Derived::from(&row.session);
            values
                .push_bind(row.session_id.to_string())
                .push_bind(derived.movie_id)
                .push_bind(derived.device_type)
                .push_bind(derived.started_at)
                .push_bind(derived.viewer_id)
                .push_bind(derived.anonymous_id)
                .push_bind(derived.token_id)
                .push_bind(derived.ended_at)
                .push_bind(derived.end_reason)
                .push_bind(derived.completion_percent)
                .push_bind(derived.watched_seconds)
                .push_bind(derived.player_errors)
                .push_bind(derived.has_errors)
                .push_bind(derived.player_state)
                .push_bind(derived.last_seen_at)
                .push_bind(derived.times_out_at)
                .push_bind(row.partition)
                .push_bind(Json(&row.session));
        });
        insert.push(on_duplicate);
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}
