//! Issuing: propose, reserve in Redis, audit in Kafka, confirm; only then is a token handed out.
//!
//! Whoever finds a token that is reserved and not confirmed audits it again, under the same id, so a
//! process that dies half-way leaves nothing that could be handed out without its record. Without
//! Redis a token is issued all the same, and marked: then a viewer may have several.

use std::fmt;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use marquee_domain::{MovieId, values::StreamUrl};
use marquee_infra::kafka::PublishError;
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::Url;
use uuid::Uuid;

use super::{
    Audit, KeyRing, LiveTokens, ViewerContext,
    edge_auth::Claims,
    live::{Reserved, TokenRecord},
    path::{self, UnsignablePath},
};

/// After this part of its life, a token is renewed.
const REFRESH_PERCENT: i32 = 60;

#[derive(Debug)]
pub struct Issuer {
    keys: KeyRing,
    ttl: TimeDelta,
    live: LiveTokens,
    audit: Audit,
}

/// For whom, and for what.
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    pub movie_id: MovieId,
    pub available_until: DateTime<Utc>,
    pub playlist: &'a StreamUrl,
    pub viewer: &'a ViewerContext,
    pub now: DateTime<Utc>,
    /// Of the token, should it be a new one.
    pub token_id: Uuid,
}

/// The signed URL is the secret: it is not in `Debug`.
pub struct IssuedToken {
    pub token_id: Uuid,
    pub signed_url: String,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub refresh_after: DateTime<Utc>,
    /// Whether Redis did not know of it.
    pub stateless: bool,
}

#[derive(Debug, Error)]
pub enum IssueError {
    #[error("the movie's availability ends now")]
    WindowEnds,
    #[error(transparent)]
    Unsignable(#[from] UnsignablePath),
    #[error("the token could not be audited")]
    Audit(#[from] PublishError),
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

/// A token and what is remembered of it.
struct Signed {
    record: TokenRecord,
    token: String,
}

impl Issuer {
    pub fn new(keys: KeyRing, ttl: TimeDelta, live: LiveTokens, audit: Audit) -> Self {
        Self { keys, ttl, live, audit }
    }

    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    pub async fn issue(&self, request: TokenRequest<'_>) -> Result<IssuedToken, IssueError> {
        let playlist = request.playlist.expose();
        let acl = path::acl_of(playlist)?;
        let proposed = self.propose(&request, &acl)?;
        let (signed, audited, stateless) = match self.reserve(&request, &acl, proposed).await {
            Ok((signed, audited)) => (signed, audited, false),
            Err(proposed) => (proposed, false, true),
        };
        let Signed { record, token } = signed;
        if !audited {
            let redacted = path::signed_url(playlist, &format!("sha256-{}", record.token_sha256));
            self.audit
                .issued(&record, request.movie_id, request.viewer, &redacted, stateless)
                .await?;
            if !stateless {
                // Without this, the next one to ask audits it once more.
                let _ = self.live.confirm(request.movie_id, request.viewer, record.token_id).await;
            }
        }
        Ok(IssuedToken::new(&record, playlist, &token, stateless))
    }

    fn propose(&self, request: &TokenRequest<'_>, acl: &str) -> Result<Signed, IssueError> {
        let issued_at = request.now.trunc_subsecs(0);
        let expires_at = (issued_at + self.ttl).min(request.available_until).trunc_subsecs(0);
        let life = expires_at - issued_at;
        if expires_at <= request.now {
            return Err(IssueError::WindowEnds);
        }
        let key = self.keys.signing();
        let mut record = TokenRecord {
            token_id: request.token_id,
            key_id: key.id().to_owned(),
            issued_at,
            expires_at,
            refresh_after: issued_at + life * REFRESH_PERCENT / 100,
            token_sha256: String::new(),
        };
        let token = sign(&record, request.movie_id, acl, key.secret());
        record.token_sha256 = sha256_hex(&token);
        Ok(Signed { record, token })
    }

    /// The current token and whether it is audited; the proposed one back when Redis is away.
    async fn reserve(
        &self,
        request: &TokenRequest<'_>,
        acl: &str,
        proposed: Signed,
    ) -> Result<(Signed, bool), Signed> {
        let TokenRequest { movie_id, viewer, now, .. } = *request;
        let mut unusable = None;
        // The second round replaces what the first one found and could not use.
        for _ in 0..2 {
            match self.live.reserve(movie_id, viewer, now, &proposed.record, unusable).await {
                Ok(Reserved { record, audited }) => {
                    if record.token_id == proposed.record.token_id {
                        return Ok((proposed, audited));
                    }
                    let token_id = record.token_id;
                    if let Some(signed) = self.sign_again(request, acl, record) {
                        return Ok((signed, audited));
                    }
                    unusable = Some(token_id);
                }
                Err(error) => {
                    tracing::debug!(%error, "a stream token is issued without Redis");
                    break;
                }
            }
        }
        metrics::counter!("marquee_stream_tokens_stateless_total").increment(1);
        Err(proposed)
    }

    /// `None` when the token would not be the same again (its key is gone, or the movie has another
    /// primary source) or outlives the movie's window, which was changed.
    fn sign_again(
        &self,
        request: &TokenRequest<'_>,
        acl: &str,
        record: TokenRecord,
    ) -> Option<Signed> {
        let key = self.keys.get(&record.key_id)?;
        let token = sign(&record, request.movie_id, acl, key.secret());
        let same = sha256_hex(&token) == record.token_sha256
            && record.expires_at <= request.available_until;
        same.then_some(Signed { record, token })
    }
}

impl IssuedToken {
    fn new(record: &TokenRecord, playlist: &Url, token: &str, stateless: bool) -> Self {
        Self {
            token_id: record.token_id,
            signed_url: path::signed_url(playlist, token),
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            refresh_after: record.refresh_after,
            stateless,
        }
    }
}

fn sign(record: &TokenRecord, movie_id: MovieId, acl: &str, secret: &[u8]) -> String {
    Claims {
        start: record.issued_at.timestamp(),
        expires: record.expires_at.timestamp(),
        acl,
        id: &record.token_id.to_string(),
        // What the verifier needs: the movie, to see whether it is still shown, and the key.
        data: &format!("{movie_id}.{}", record.key_id),
    }
    .sign(secret)
}

fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
