//! The one current token of a viewer and movie, in Redis.
//!
//! What is kept can't be played with: the token's times and ids, not the token. It is signed again from
//! these when it is asked for again.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use ::redis::{ErrorKind, RedisError, Script, aio::ConnectionManager};
use chrono::{DateTime, Utc};
use marquee_domain::{MovieId, StreamSourceId};
use marquee_infra::{breaker::Breaker, redis};
use secrecy::SecretString;
use thiserror::Error;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ViewerContext;

static RESERVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("reserve.lua")));
static CONFIRM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("confirm.lua")));

/// For an answer, connecting included. Longer than for a rate limit: a busy moment is no reason to give
/// a viewer a second token, and whoever waits in vain waits once, before the breaker opens.
const PATIENCE: Duration = Duration::from_secs(1);
/// While Redis is away, one request in this time tries it; the others do without at once.
const TRIAL_INTERVAL: Duration = Duration::from_secs(1);
/// Of confirmations that wait; more are left out.
const QUEUE: usize = 4_096;
const CONFIRMED_AT_ONCE: usize = 256;

#[derive(Clone)]
pub struct LiveTokens {
    redis: ConnectionManager,
    key_prefix: String,
    breaker: Arc<Breaker>,
    confirmations: mpsc::Sender<Confirmation>,
}

/// A token as far as it needs to be known to sign it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenRecord {
    pub(super) token_id: Uuid,
    pub(super) key_id: String,
    /// Whose URL is signed: a source's never changes.
    pub(super) source_id: StreamSourceId,
    /// Whole seconds, like `expires_at`: that is what a token carries.
    pub(super) issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) refresh_after: DateTime<Utc>,
    /// The token that was current before, if it was audited and lives. Redis tells.
    pub(super) renews: Option<Uuid>,
}

/// What Redis holds now: the proposed token, or one that was there before.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) record: TokenRecord,
    /// Whether its audit record is known to be durable.
    pub(super) audited: bool,
}

#[derive(Debug, Error)]
pub(super) enum LiveError {
    #[error("Redis is away, as a moment ago")]
    Away,
    #[error("Redis does not answer in time")]
    Late,
    #[error("Redis does not answer as it should")]
    Redis(#[source] RedisError),
}

struct Confirmation {
    key: String,
    token_id: Uuid,
}

impl LiveTokens {
    /// Confirms on the current tokio runtime, until it is told to stop.
    pub fn connect_lazy(
        redis_url: &SecretString,
        key_prefix: &str,
        stop: CancellationToken,
    ) -> Result<Self, RedisError> {
        let redis = redis::connect_lazy_for(redis_url, PATIENCE)?;
        let (confirmations, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(stop.run_until_cancelled_owned(confirm(redis.clone(), receiver)));
        Ok(Self {
            redis,
            key_prefix: format!("{key_prefix}stream-token:"),
            breaker: Arc::new(Breaker::closed(TRIAL_INTERVAL)),
            confirmations,
        })
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
    ) -> Result<Reserved, LiveError> {
        if !self.breaker.lets_through() {
            return Err(LiveError::Away);
        }
        let answer = self.ask(self.key(movie_id, viewer), now, proposed, unusable);
        let answer = match timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(LiveError::Redis),
            Err(_) => Err(LiveError::Late),
        };
        match &answer {
            Ok(_) => {
                if self.breaker.succeeded() {
                    tracing::info!("Redis is back: viewers have one stream token each again");
                }
            }
            Err(error) => {
                if self.breaker.failed() {
                    tracing::warn!(%error, "Redis is away: stream tokens are issued without it");
                }
            }
        }
        answer
    }

    async fn ask(
        &self,
        key: String,
        now: DateTime<Utc>,
        proposed: &TokenRecord,
        unusable: Option<Uuid>,
    ) -> Result<Reserved, RedisError> {
        type Answer = (String, String, String, i64, i64, i64, bool, Option<String>);
        let answer: Answer = RESERVE
            .key(key)
            .arg(now.timestamp_millis())
            .arg(unusable.map(|id| id.to_string()).unwrap_or_default())
            .arg(proposed.token_id.to_string())
            .arg(&proposed.key_id)
            .arg(proposed.source_id.to_string())
            .arg(proposed.issued_at.timestamp())
            .arg(proposed.expires_at.timestamp())
            .arg(proposed.refresh_after.timestamp_millis())
            .invoke_async(&mut self.redis.clone())
            .await?;
        let (token_id, key_id, source_id, issued_at, expires_at, refresh_after, audited, renews) =
            answer;
        let renews = renews.filter(|id| !id.is_empty());
        let strange =
            || RedisError::from((ErrorKind::UnexpectedReturnType, "not a stream token's record"));
        let record = TokenRecord {
            token_id: token_id.parse().map_err(|_| strange())?,
            key_id,
            source_id: source_id.parse().map_err(|_| strange())?,
            issued_at: DateTime::from_timestamp_secs(issued_at).ok_or_else(strange)?,
            expires_at: DateTime::from_timestamp_secs(expires_at).ok_or_else(strange)?,
            refresh_after: DateTime::from_timestamp_millis(refresh_after).ok_or_else(strange)?,
            renews: renews.map(|id| id.parse()).transpose().map_err(|_| strange())?,
        };
        Ok(Reserved { record, audited })
    }

    /// Notes that the token's audit record is durable: soon, and if it can. A token of which that is
    /// not noted is audited once more when it is asked for again.
    pub(super) fn confirm(&self, movie_id: MovieId, viewer: &ViewerContext, token_id: Uuid) {
        let _ =
            self.confirmations.try_send(Confirmation { key: self.key(movie_id, viewer), token_id });
    }

    fn key(&self, movie_id: MovieId, viewer: &ViewerContext) -> String {
        format!("{}{movie_id}:{}", self.key_prefix, viewer.as_str())
    }
}

/// All that wait in one call: no viewer waits for it.
async fn confirm(mut redis: ConnectionManager, mut receiver: mpsc::Receiver<Confirmation>) {
    let mut batch = Vec::with_capacity(CONFIRMED_AT_ONCE);
    while receiver.recv_many(&mut batch, CONFIRMED_AT_ONCE).await > 0 {
        let mut call = CONFIRM.prepare_invoke();
        for Confirmation { key, token_id } in batch.drain(..) {
            call.key(key).arg(token_id.to_string());
        }
        if let Err(error) = call.invoke_async::<()>(&mut redis).await {
            tracing::debug!(%error, "audited stream tokens are not noted in Redis");
        }
    }
}

impl fmt::Debug for LiveTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTokens").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}
