//! Issuing: propose, reserve in Redis, sign, audit; only then is a token handed out.
//!
//! Whoever finds a token that is reserved and not known to be audited audits it again, under the same id,
//! so a process that dies half-way leaves nothing that could be handed out without its record. Without
//! Redis a token is issued all the same, and marked: then a viewer may have several.

use std::fmt;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use marquee_domain::{MovieId, StreamSourceId, values::StreamUrl};
use thiserror::Error;
use uuid::Uuid;

use super::{
    Audit, AuditError, LiveTokens, ViewerContext,
    cdn::{Cdn, Cookie, Grant, LiveCdns, SignError},
    live::{Reserved, TokenRecord},
};

/// After this part of its life, a token is renewed.
const REFRESH_PERCENT: i32 = 60;

#[derive(Debug)]
pub struct Issuer {
    cdns: LiveCdns,
    ttl: TimeDelta,
    live: LiveTokens,
    audit: Audit,
}

/// For whom, and for what.
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    pub movie_id: MovieId,
    pub available_until: DateTime<Utc>,
    pub source_id: StreamSourceId,
    pub playlist: &'a StreamUrl,
    pub viewer: &'a ViewerContext,
    pub now: DateTime<Utc>,
    /// Of the token, should it be a new one.
    pub token_id: Uuid,
}

/// The signed URL is the secret, as are the cookies: they are not in `Debug`.
pub struct IssuedToken {
    pub token_id: Uuid,
    pub signed_url: String,
    pub cookies: Vec<Cookie>,
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
    #[error("no CDN is configured for the playlist's host")]
    UnknownHost,
    #[error(transparent)]
    Unsignable(#[from] SignError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

/// The token that is to be handed out.
struct Chosen {
    record: TokenRecord,
    audited: bool,
    stateless: bool,
}

impl Issuer {
    pub fn new(cdns: LiveCdns, ttl: TimeDelta, live: LiveTokens, audit: Audit) -> Self {
        Self { cdns, ttl, live, audit }
    }

    pub const fn cdns(&self) -> &LiveCdns {
        &self.cdns
    }

    pub async fn issue(&self, request: TokenRequest<'_>) -> Result<IssuedToken, IssueError> {
        let TokenRequest { movie_id, viewer, .. } = request;
        let cdns = self.cdns.now();
        let playlist = request.playlist.expose();
        let cdn = cdns.of(playlist).ok_or(IssueError::UnknownHost)?;
        let proposed = self.propose(&request, cdn)?;
        let Chosen { record, audited, stateless } = self.choose(&request, cdn, proposed).await;
        let grant = Grant {
            token_id: record.token_id,
            movie_id,
            starts: record.issued_at,
            expires: record.expires_at,
            playlist,
        };
        let signed = cdn.sign(&record.key_id, &grant)?;
        if !audited {
            self.audit.record(&record, movie_id, viewer, cdn.dialect(), &signed, stateless).await?;
            if !stateless {
                self.live.confirm(movie_id, viewer, record.token_id);
            }
        }
        Ok(IssuedToken {
            token_id: record.token_id,
            signed_url: signed.url,
            cookies: signed.cookies,
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            refresh_after: record.refresh_after,
            stateless,
        })
    }

    fn propose(&self, request: &TokenRequest<'_>, cdn: &Cdn) -> Result<TokenRecord, IssueError> {
        let issued_at = request.now.trunc_subsecs(0);
        let expires_at = (issued_at + self.ttl).min(request.available_until).trunc_subsecs(0);
        let life = expires_at - issued_at;
        if expires_at <= request.now {
            return Err(IssueError::WindowEnds);
        }
        Ok(TokenRecord {
            token_id: request.token_id,
            key_id: cdn.signing_key_id().to_owned(),
            source_id: request.source_id,
            issued_at,
            expires_at,
            refresh_after: issued_at + life * REFRESH_PERCENT / 100,
            renews: None,
        })
    }

    /// The current token if there is one that may be given out again, else the proposed one.
    async fn choose(&self, request: &TokenRequest<'_>, cdn: &Cdn, proposed: TokenRecord) -> Chosen {
        let TokenRequest { movie_id, viewer, now, .. } = *request;
        let mut unusable = None;
        // The second round replaces what the first one found and could not use.
        for _ in 0..2 {
            match self.live.reserve(movie_id, viewer, now, &proposed, unusable).await {
                Ok(Reserved { record, audited }) if may_be_given(&record, request, cdn) => {
                    return Chosen { record, audited, stateless: false };
                }
                Ok(Reserved { record, .. }) => unusable = Some(record.token_id),
                Err(error) => {
                    tracing::debug!(%error, "a stream token is issued without Redis");
                    break;
                }
            }
        }
        metrics::counter!("marquee_stream_tokens_stateless_total").increment(1);
        Chosen { record: proposed, audited: false, stateless: true }
    }
}

/// Not when its key is gone, when the movie has another primary source, or when it outlives the movie's
/// window, which was changed.
fn may_be_given(record: &TokenRecord, request: &TokenRequest<'_>, cdn: &Cdn) -> bool {
    cdn.has_key(&record.key_id)
        && record.source_id == request.source_id
        && record.expires_at <= request.available_until
}
