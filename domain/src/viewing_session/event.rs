//! What happens in a viewing session, in the shapes in which it is published. A released shape is
//! never edited: a changed one is a new version.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::player::{Cmcd, DeviceType, EndReason, PlayerErrorCode, PlayerState};
use crate::ids::{MovieId, UserId, ViewingSessionId};

/// Times are the server's: a player's clock may say anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum ViewingSessionEvent {
    /// A viewer began to watch a movie.
    ViewingSessionStarted(Started),
    /// The player tells that it lives, what it does, and what was watched.
    ViewingSessionProgressed(Progressed),
    /// Something went wrong in the player.
    PlayerErrorReported(ErrorReported),
    /// The player says that the session is over.
    ViewingSessionEnded(Ended),
    /// No player has said anything for three heartbeats. Void when it said something newer.
    ViewingSessionTimedOut(TimedOut),
    /// Nobody may know any more whose session it was.
    ViewingSessionAnonymized(Anonymized),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Started {
    pub session_id: ViewingSessionId,
    pub movie_id: MovieId,
    /// The stream token that the movie is played with, as told by the player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Uuid>,
    pub device_type: DeviceType,
    pub started_at: DateTime<Utc>,
    /// The movie's, as it was then: what `completion_percent` is a part of.
    pub duration_ms: u64,
    /// How often the player was told to report.
    pub heartbeat_seconds: u32,
    /// The signed-in viewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_id: Option<UserId>,
    /// Of a viewer who is not signed in: a keyed hash of the id that the app sent, 64 hexadecimal
    /// digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Progressed {
    pub session_id: ViewingSessionId,
    /// The player's number for the event, from 1.
    pub sequence: u64,
    pub occurred_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PlayerState>,
    /// The place in the movie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_ms: Option<u64>,
    /// Parts of the movie that were watched, whether told before or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<WatchedRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmcd: Option<Cmcd>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorReported {
    pub session_id: ViewingSessionId,
    /// The player's number for the event, from 1.
    pub sequence: u64,
    pub occurred_at: DateTime<Utc>,
    pub code: PlayerErrorCode,
    /// The player gave up for it.
    pub fatal: bool,
    /// The place in the movie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmcd: Option<Cmcd>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ended {
    pub session_id: ViewingSessionId,
    /// The player's number for the event, from 1.
    pub sequence: u64,
    pub occurred_at: DateTime<Utc>,
    pub reason: EndReason,
    /// The place in the movie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_ms: Option<u64>,
    /// Parts of the movie that were watched, whether told before or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<WatchedRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmcd: Option<Cmcd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimedOut {
    pub session_id: ViewingSessionId,
    /// When the player was last heard of: nothing newer had come by `timed_out_at`.
    pub last_seen_at: DateTime<Utc>,
    pub timed_out_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Anonymized {
    pub session_id: ViewingSessionId,
    pub anonymized_at: DateTime<Utc>,
}

/// From one place in the movie up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WatchedRange {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// Why a record is not an event of a viewing session.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("{0}")]
    Payload(#[from] serde_json::Error),
    #[error("the payload is that of {0}")]
    OtherType(String),
}

/// Reads an event of this type (`marquee.viewing-session.ViewingSessionStarted.v1`).
pub fn decode(event_type: &str, payload: &[u8]) -> Result<ViewingSessionEvent, DecodeError> {
    let event: ViewingSessionEvent = serde_json::from_slice(payload)?;
    if event.event_type() == event_type {
        Ok(event)
    } else {
        Err(DecodeError::OtherType(event.event_type()))
    }
}

impl ViewingSessionEvent {
    pub const NAMES: [&'static str; 6] = [
        "ViewingSessionStarted",
        "ViewingSessionProgressed",
        "PlayerErrorReported",
        "ViewingSessionEnded",
        "ViewingSessionTimedOut",
        "ViewingSessionAnonymized",
    ];

    pub const fn name(&self) -> &'static str {
        match self {
            Self::ViewingSessionStarted(_) => "ViewingSessionStarted",
            Self::ViewingSessionProgressed(_) => "ViewingSessionProgressed",
            Self::PlayerErrorReported(_) => "PlayerErrorReported",
            Self::ViewingSessionEnded(_) => "ViewingSessionEnded",
            Self::ViewingSessionTimedOut(_) => "ViewingSessionTimedOut",
            Self::ViewingSessionAnonymized(_) => "ViewingSessionAnonymized",
        }
    }

    /// With the version of its shape.
    pub fn event_type(&self) -> String {
        format!("marquee.viewing-session.{}.v1", self.name())
    }

    pub const fn session_id(&self) -> ViewingSessionId {
        match self {
            Self::ViewingSessionStarted(event) => event.session_id,
            Self::ViewingSessionProgressed(event) => event.session_id,
            Self::PlayerErrorReported(event) => event.session_id,
            Self::ViewingSessionEnded(event) => event.session_id,
            Self::ViewingSessionTimedOut(event) => event.session_id,
            Self::ViewingSessionAnonymized(event) => event.session_id,
        }
    }

    /// The player's number; none for what no player has said.
    pub const fn sequence(&self) -> Option<u64> {
        match self {
            Self::ViewingSessionProgressed(event) => Some(event.sequence),
            Self::PlayerErrorReported(event) => Some(event.sequence),
            Self::ViewingSessionEnded(event) => Some(event.sequence),
            Self::ViewingSessionStarted(_)
            | Self::ViewingSessionTimedOut(_)
            | Self::ViewingSessionAnonymized(_) => None,
        }
    }

    pub const fn occurred_at(&self) -> DateTime<Utc> {
        match self {
            Self::ViewingSessionStarted(event) => event.started_at,
            Self::ViewingSessionProgressed(event) => event.occurred_at,
            Self::PlayerErrorReported(event) => event.occurred_at,
            Self::ViewingSessionEnded(event) => event.occurred_at,
            Self::ViewingSessionTimedOut(event) => event.timed_out_at,
            Self::ViewingSessionAnonymized(event) => event.anonymized_at,
        }
    }

    /// Unique among all events, and the same however often the event is sent.
    pub fn event_id(&self) -> String {
        let session_id = self.session_id();
        match self {
            Self::ViewingSessionStarted(_) => format!("{session_id}/0"),
            Self::ViewingSessionTimedOut(event) => {
                format!("{session_id}/silent-since-{}", event.last_seen_at.timestamp_micros())
            }
            Self::ViewingSessionAnonymized(_) => format!("{session_id}/anonymized"),
            Self::ViewingSessionProgressed(Progressed { sequence, .. })
            | Self::PlayerErrorReported(ErrorReported { sequence, .. })
            | Self::ViewingSessionEnded(Ended { sequence, .. }) => {
                format!("{session_id}/{sequence}")
            }
        }
    }
}
