//! Sessions as the projector has them: one for its owner, pages of them for triage.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use marquee_domain::{MovieId, ViewingSessionId};
use serde::{Deserialize, Serialize};
use sqlx::MySqlPool;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{self, SessionRow, utc};
use crate::mysql_read::{ReadError, in_time};

#[derive(Debug, Clone)]
pub struct SessionReader {
    pool: MySqlPool,
}

/// One viewer watches one movie on one device.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewingSession {
    #[schema(value_type = Uuid)]
    pub session_id: String,
    #[schema(value_type = Uuid)]
    pub movie_id: String,
    /// Of a signed-in viewer; null once the session was made anonymous.
    #[schema(value_type = Option<Uuid>)]
    pub viewer_id: Option<String>,
    /// Of one who is not signed in: a keyed hash of the app's id for them.
    pub anonymous_id: Option<String>,
    /// The stream token it was begun with.
    #[schema(value_type = Option<Uuid>)]
    pub token_id: Option<String>,
    #[schema(example = "TV")]
    pub device_type: String,
    pub started_at: DateTime<Utc>,
    /// Null while it goes on, as far as is known.
    pub ended_at: Option<DateTime<Utc>>,
    /// `COMPLETED`, `STOPPED`, `FAILED`, or `TIMED_OUT`.
    pub end_reason: Option<String>,
    /// How much of the movie was watched, whatever of it was watched twice.
    #[schema(minimum = 0, maximum = 100)]
    pub completion_percent: u8,
    pub watched_seconds: u32,
    /// The first hundred codes, in the order of the player's numbers.
    pub player_errors: Vec<String>,
    /// `PLAYING`, `PAUSED`, `SEEKING` or `BUFFERING`: what the player told last.
    pub player_state: Option<String>,
    /// When the player was last heard of.
    pub last_seen_at: DateTime<Utc>,
}

/// Which sessions. A token's, or those of a movie, with or without errors.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub movie_id: Option<MovieId>,
    pub token_id: Option<Uuid>,
    pub errors: Option<bool>,
    /// They began at this instant, or later.
    pub from: Option<DateTime<Utc>>,
}

/// Where in the list, which has the newest first: behind this session. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    #[serde(rename = "t", with = "chrono::serde::ts_microseconds")]
    pub started_at: DateTime<Utc>,
    /// None: before all that began at that instant.
    #[serde(rename = "i")]
    pub session_id: Option<ViewingSessionId>,
}

#[derive(Debug)]
pub struct Page {
    pub items: Vec<ViewingSession>,
    /// None at the end.
    pub next: Option<Place>,
}

impl SessionReader {
    pub const fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }

    /// None as long as its start is not projected.
    pub async fn find(
        &self,
        session_id: ViewingSessionId,
    ) -> Result<Option<ViewingSession>, ReadError> {
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            Ok(rows::by_id(&mut connection, session_id).await?.and_then(shown))
        })
        .await
    }

    pub async fn page(
        &self,
        filter: &Filter,
        after: &Place,
        limit: u32,
    ) -> Result<Page, ReadError> {
        in_time(async {
            let mut connection = self.pool.acquire().await?;
            // One more tells whether there are more.
            let mut rows = rows::page(&mut connection, filter, after, limit + 1).await?;
            let more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            let items: Vec<ViewingSession> = rows.into_iter().filter_map(shown).collect();
            let next = items.last().filter(|_| more).map(|last| Place {
                started_at: last.started_at,
                session_id: last.session_id.parse().ok(),
            });
            Ok(Page { items, next })
        })
        .await
    }
}

fn shown(row: SessionRow) -> Option<ViewingSession> {
    let text = |text: Option<crate::text::Text>| text.map(|text| text.to_string());
    let started_at = utc(row.started_at)?;
    Some(ViewingSession {
        session_id: row.session_id.to_string(),
        movie_id: text(row.movie_id)?,
        viewer_id: text(row.viewer_id),
        anonymous_id: text(row.anonymous_id),
        token_id: text(row.token_id),
        device_type: text(row.device_type)?,
        started_at,
        ended_at: utc(row.ended_at),
        end_reason: text(row.end_reason),
        completion_percent: row.completion_percent,
        watched_seconds: row.watched_seconds,
        player_errors: row.player_errors.0,
        player_state: text(row.player_state),
        last_seen_at: utc(row.last_seen_at).unwrap_or(started_at),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a next_cursor of this list")]
pub struct NotAPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        if text.len() > 200 {
            return Err(NotAPlace);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAPlace)?;
        serde_json::from_slice(&json).map_err(|_| NotAPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_trip() {
        for session_id in [None, Some(ViewingSessionId::new(Uuid::from_u128(7)))] {
            let started_at = DateTime::from_timestamp_micros(1_775_074_500_123_456).unwrap();
            let place = Place { started_at, session_id };
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for nonsense in ["", "x", "e30", "!!", &"A".repeat(300)] {
            assert_eq!(nonsense.parse::<Place>(), Err(NotAPlace));
        }
    }
}
