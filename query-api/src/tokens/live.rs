//! The one current token of a viewer and movie, in Redis.
//!
//! What is kept can't be played with: the token's times and ids and its digest, not the token. It
//! is signed again from these when it is asked for again.

use std::{fmt, sync::LazyLock};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use redis::{RedisError, Script, aio::ConnectionManager};
use uuid::Uuid;

use super::ViewerContext;

static RESERVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("reserve.lua")));
static CONFIRM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("confirm.lua")));

#[derive(Clone)]
pub struct LiveTokens {
    redis: ConnectionManager,
    key_prefix: String,
}

/// A token as far as it needs to be known to sign it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenRecord {
    pub(super) token_id: Uuid,
    pub(super) key_id: String,
    /// Whole seconds, like `expires_at`: that is what a token carries.
    pub(super) issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) refresh_after: DateTime<Utc>,
    /// Lower-case hexadecimal.
    pub(super) token_sha256: String,
}

/// What Redis holds now: the proposed token, or one that was there before.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) record: TokenRecord,
    /// Whether its audit record is known to be acknowledged.
    pub(super) audited: bool,
}

impl LiveTokens {
    pub fn new(redis: ConnectionManager, key_prefix: &str) -> Self {
        Self { redis, key_prefix: format!("{key_prefix}stream-token:") }
    }

    /// Makes `proposed` the current token unless there is one that is not due for renewal yet.
    /// `unusable` is a current token that must not be given out again.
    pub(super) async fn reserve(
        &self,
        movie_id: MovieId,
        viewer: &ViewerContext,
        now: DateTime<Utc>,
        proposed: &TokenRecord,
        unusable: Option<Uuid>,
    ) -> Result<Reserved, RedisError> {
        type Answer = (String, String, i64, i64, i64, String, bool);
        let (token_id, key_id, issued_at, expires_at, refresh_after, token_sha256, audited): Answer =
            RESERVE
                .key(self.key(movie_id, viewer))
                .arg(now.timestamp_millis())
                .arg(unusable.map(|id| id.to_string()).unwrap_or_default())
                .arg(proposed.token_id.to_string())
                .arg(&proposed.key_id)
                .arg(proposed.issued_at.timestamp())
                .arg(proposed.expires_at.timestamp())
                .arg(proposed.refresh_after.timestamp_millis())
                .arg(&proposed.token_sha256)
                .invoke_async(&mut self.redis.clone())
                .await?;
        let strange = || {
            RedisError::from((
                redis::ErrorKind::UnexpectedReturnType,
                "not a stream token's record",
            ))
        };
        let record = TokenRecord {
            token_id: token_id.parse().map_err(|_| strange())?,
            key_id,
            issued_at: DateTime::from_timestamp_secs(issued_at).ok_or_else(strange)?,
            expires_at: DateTime::from_timestamp_secs(expires_at).ok_or_else(strange)?,
            refresh_after: DateTime::from_timestamp_millis(refresh_after).ok_or_else(strange)?,
            token_sha256,
        };
        Ok(Reserved { record, audited })
    }

    /// Notes that the token's audit record is acknowledged.
    pub(super) async fn confirm(
        &self,
        movie_id: MovieId,
        viewer: &ViewerContext,
        token_id: Uuid,
    ) -> Result<(), RedisError> {
        CONFIRM
            .key(self.key(movie_id, viewer))
            .arg(token_id.to_string())
            .invoke_async(&mut self.redis.clone())
            .await
    }

    fn key(&self, movie_id: MovieId, viewer: &ViewerContext) -> String {
        format!("{}{movie_id}:{}", self.key_prefix, viewer.as_str())
    }
}

impl fmt::Debug for LiveTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTokens").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}
