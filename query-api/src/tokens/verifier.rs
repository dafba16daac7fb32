//! Whether a token opens a path now.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::MovieId;
use thiserror::Error;
use uuid::Uuid;

use super::{
    cdn::{Cdns, edge_auth::Unverified},
    notices::Revoked,
    path,
};
use crate::catalog::{NotPlayable, Snapshot};

/// Another instance's clock may be a little ahead of ours. Expiry has no such leeway.
const START_LEEWAY: TimeDelta = TimeDelta::seconds(2);

/// For the log; the client learns only that it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("not a token of ours")]
    Malformed,
    #[error("signed with an unknown key")]
    UnknownKey,
    #[error("wrong signature")]
    Signature,
    #[error("not valid yet")]
    Early,
    #[error("expired")]
    Expired,
    #[error("for another path")]
    OtherPath,
    #[error("for a movie that is not known")]
    UnknownMovie,
    #[error("the movie can't be played: {}", .0.reason.as_str())]
    Revoked(Revoked),
}

/// Until when the token opens the path, if nothing changes. `path` as the edge is about to serve it: decoded and normalised.
/// `host` is the CDN's that is asked; without it, any of ours.
pub fn verify(
    cdns: &Cdns,
    snapshot: &Snapshot,
    token: &str,
    host: Option<&str>,
    path: &str,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Refusal> {
    let unverified = Unverified::read(token).map_err(|_| Refusal::Malformed)?;
    let claims = unverified.claims;
    let (movie_id, key_id) = claims.data.split_once('.').ok_or(Refusal::Malformed)?;
    let key = cdns.edge_auth_key(host, key_id).ok_or(Refusal::UnknownKey)?;
    if !unverified.is_signed_with(key.secret()) {
        return Err(Refusal::Signature);
    }

    if (now + START_LEEWAY).timestamp() < claims.start {
        return Err(Refusal::Early);
    }
    if now.timestamp() >= claims.expires {
        return Err(Refusal::Expired);
    }
    if !path::acl_opens(claims.acl, path) {
        return Err(Refusal::OtherPath);
    }
    let movie_id: MovieId = movie_id.parse().map_err(|_| Refusal::Malformed)?;
    let token_id: Uuid = claims.id.parse().map_err(|_| Refusal::Malformed)?;
    let expires = DateTime::from_timestamp_secs(claims.expires).ok_or(Refusal::Malformed)?;
    match snapshot.playable(movie_id, now) {
        Ok(movie) => Ok(expires.min(movie.window.end())),
        Err(NotPlayable::Unknown) => Err(Refusal::UnknownMovie),
        Err(NotPlayable::Because(reason)) => {
            Err(Refusal::Revoked(Revoked { token_id, movie_id, reason }))
        }
    }
}
