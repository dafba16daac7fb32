//! What happens to stream tokens, in the shapes in which it is published. A released shape is never
//! edited: a changed one is a new version.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::ids::MovieId;

/// No token is in any of them: an audit must not be a way to play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum StreamTokenEvent {
    /// A viewer is about to get a signed URL.
    StreamTokenIssued(IssuedToken),
    /// A viewer is about to get a signed URL in place of one that has not expired yet.
    StreamTokenRenewed(RenewedToken),
    /// A viewer asked for a movie that is there, and can't be played now.
    StreamTokenDenied(Denial),
    /// A token was refused before it expired: its movie can't be played any more.
    StreamTokenRevoked(Revocation),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IssuedToken {
    pub token_id: Uuid,
    pub movie_id: MovieId,
    /// A keyed hash of viewer or session.
    pub viewer_context: String,
    pub dialect: String,
    /// Which key signed.
    pub key_id: String,
    pub token_sha256: String,
    /// With the digest in the token's place.
    pub signed_url: String,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// Redis was away, and does not hold the token.
    pub stateless: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RenewedToken {
    #[serde(flatten)]
    pub token: IssuedToken,
    /// The token that the viewer had for the movie before.
    pub renews: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Denial {
    pub denial_id: Uuid,
    pub movie_id: MovieId,
    /// A keyed hash of viewer or session.
    pub viewer_context: String,
    pub reason: Unplayable,
    pub denied_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Revocation {
    pub token_id: Uuid,
    pub movie_id: MovieId,
    /// A keyed hash of viewer or session.
    pub viewer_context: String,
    pub reason: Unplayable,
    /// When the token was first refused.
    pub revoked_at: DateTime<Utc>,
}

/// Why a movie that is there can't be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Unplayable {
    Hidden,
    Removed,
    NotYetAvailable,
    NoLongerAvailable,
    /// It has no primary source, or that one is known to be broken.
    NoPlayableSource,
    /// Its stream's address can't be signed.
    StreamUnusable,
}

/// Why a record is not an event of a stream token.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("the value is not a token event: {0}")]
    Payload(#[from] serde_json::Error),
    #[error("{0} is not 64 lower-case hexadecimal digits")]
    NoDigest(&'static str),
}

/// Reads an event. None: of a type that is not known here.
pub fn decode(payload: &[u8]) -> Result<Option<StreamTokenEvent>, DecodeError> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        name: String,
    }
    let Typed { name } = serde_json::from_slice(payload)?;
    if !StreamTokenEvent::NAMES.contains(&name.as_str()) {
        return Ok(None);
    }
    let event: StreamTokenEvent = serde_json::from_slice(payload)?;
    if !is_digest(event.viewer_context()) {
        return Err(DecodeError::NoDigest("viewer_context"));
    }
    if event.token().is_some_and(|token| !is_digest(&token.token_sha256)) {
        return Err(DecodeError::NoDigest("token_sha256"));
    }
    Ok(Some(event))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl StreamTokenEvent {
    pub const NAMES: [&'static str; 4] =
        ["StreamTokenIssued", "StreamTokenRenewed", "StreamTokenDenied", "StreamTokenRevoked"];

    pub const fn name(&self) -> &'static str {
        match self {
            Self::StreamTokenIssued(_) => "StreamTokenIssued",
            Self::StreamTokenRenewed(_) => "StreamTokenRenewed",
            Self::StreamTokenDenied(_) => "StreamTokenDenied",
            Self::StreamTokenRevoked(_) => "StreamTokenRevoked",
        }
    }

    /// With the version of its shape.
    pub fn event_type(&self) -> String {
        format!("marquee.stream-token.{}.v1", self.name())
    }

    /// The token that a viewer is about to get.
    pub const fn token(&self) -> Option<&IssuedToken> {
        match self {
            Self::StreamTokenIssued(token)
            | Self::StreamTokenRenewed(RenewedToken { token, .. }) => Some(token),
            Self::StreamTokenDenied(_) | Self::StreamTokenRevoked(_) => None,
        }
    }

    pub const fn movie_id(&self) -> MovieId {
        match self {
            Self::StreamTokenIssued(token)
            | Self::StreamTokenRenewed(RenewedToken { token, .. }) => token.movie_id,
            Self::StreamTokenDenied(denial) => denial.movie_id,
            Self::StreamTokenRevoked(revocation) => revocation.movie_id,
        }
    }

    pub fn viewer_context(&self) -> &str {
        match self {
            Self::StreamTokenIssued(token)
            | Self::StreamTokenRenewed(RenewedToken { token, .. }) => &token.viewer_context,
            Self::StreamTokenDenied(denial) => &denial.viewer_context,
            Self::StreamTokenRevoked(revocation) => &revocation.viewer_context,
        }
    }

    pub const fn occurred_at(&self) -> DateTime<Utc> {
        match self {
            Self::StreamTokenIssued(token)
            | Self::StreamTokenRenewed(RenewedToken { token, .. }) => token.issued_at,
            Self::StreamTokenDenied(denial) => denial.denied_at,
            Self::StreamTokenRevoked(revocation) => revocation.revoked_at,
        }
    }

    /// Unique among all events, and the same however often, and by however many, the event is sent.
    pub fn event_id(&self) -> String {
        match self {
            Self::StreamTokenIssued(token)
            | Self::StreamTokenRenewed(RenewedToken { token, .. }) => token.token_id.to_string(),
            Self::StreamTokenDenied(denial) => denial.denial_id.to_string(),
            Self::StreamTokenRevoked(revocation) => format!("{}/revoked", revocation.token_id),
        }
    }
}

impl Unplayable {
    pub const ALL: [Self; 6] = [
        Self::Hidden,
        Self::Removed,
        Self::NotYetAvailable,
        Self::NoLongerAvailable,
        Self::NoPlayableSource,
        Self::StreamUnusable,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "HIDDEN",
            Self::Removed => "REMOVED",
            Self::NotYetAvailable => "NOT_YET_AVAILABLE",
            Self::NoLongerAvailable => "NO_LONGER_AVAILABLE",
            Self::NoPlayableSource => "NO_PLAYABLE_SOURCE",
            Self::StreamUnusable => "STREAM_UNUSABLE",
        }
    }
}
