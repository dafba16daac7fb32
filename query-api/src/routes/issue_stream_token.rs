//! `POST /v1/movies/{movie_id}/stream-tokens`: a signed URL that plays the movie for a few minutes.
//! Asking again before `refresh_after` gives the same one.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue, SET_COOKIE},
    web,
};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use marquee_domain::{MovieId, stream_token::Unplayable};
use marquee_infra::{
    clock,
    http::{
        CommonProblems, Fields, MaybePrincipal, Principal, Problem, ProblemBody, ProblemCode,
        read_body, read_json,
    },
    sealing::{Sealer, SealingError},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    consistency::{self, Patience},
    get_movie::movie_not_found,
    not_read_yet,
    openapi::{SessionHeaders, StreamTokenBody, WaitHeader},
    session_owner::parse_client_id,
    snapshot,
};
use crate::{
    catalog::{Catalog, NotPlayable},
    tokens::{IssueError, Issuer, Notices, TokenRequest, ViewerContextKey, cdn::Cookie},
};

#[derive(Serialize, ToSchema)]
pub(super) struct StreamToken {
    token_id: Uuid,
    #[schema(value_type = Uuid)]
    movie_id: MovieId,
    /// Plays the movie until `expires_at`: segments and all, unless there are `cookies`.
    signed_url: String,
    /// For a CDN that takes no token in the path (`CloudFront`): to be sent with every request below
    /// their `path`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<PlaybackCookie>,
    #[schema(format = DateTime)]
    issued_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// From then on, asking again gives a new one.
    #[schema(format = DateTime)]
    refresh_after: String,
    /// To be sent with the next request, so that it is known for the same viewer's.
    session_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct PlaybackCookie {
    name: &'static str,
    value: String,
    /// The movie's directory.
    path: String,
}

/// A signed URL that plays the movie for a few minutes
///
/// Asking again before `refresh_after` gives the same one. The body may be left away.
#[utoipa::path(
    post, path = "/v1/movies/{movie_id}/stream-tokens", tag = "playback",
    params(
        ("movie_id" = Uuid, Path, description = "The movie's id"),
        WaitHeader, SessionHeaders,
    ),
    request_body = Option<StreamTokenBody>,
    responses(
        (status = 201, description = "The URL, to be played at once", body = StreamToken),
        (status = 404, description = "movie_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed, stream_unusable", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = [])),
)]
#[expect(clippy::too_many_arguments, reason = "each is one extractor")]
pub(super) async fn issue_stream_token(
    request: HttpRequest,
    payload: web::Payload,
    movie_id: web::Path<String>,
    catalog: web::Data<Catalog>,
    sealer: web::Data<Sealer>,
    issuer: web::Data<Issuer>,
    notices: web::Data<Notices>,
    viewers: web::Data<ViewerContextKey>,
    patience: web::Data<Patience>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let movie_id: MovieId = movie_id.parse().map_err(|_| movie_not_found())?;
    let viewer = principal.0.as_ref().map(Principal::user_id);
    let mut session_id = read_session_id(&request, &read_body(payload).await?)?;
    if viewer.is_none() && session_id.is_none() {
        session_id = Some(hex::encode(clock::random_bytes::<16>()));
    }
    let viewer = viewers.context(viewer, session_id.as_deref());
    consistency::wait(&request, &catalog, **patience).await?;

    let now = clock::now();
    let deny = |reason| notices.denied(movie_id, &viewer, reason, now);
    let snapshot = snapshot(&catalog)?;
    let Some(catalog) = snapshot.as_ref() else { return Err(not_read_yet()) };
    let movie = catalog.playable(movie_id, now).cloned().map_err(|why| {
        if let NotPlayable::Because(reason) = why {
            deny(reason);
        }
        movie_not_found()
    })?;
    drop(snapshot);
    let primary = movie.primary.as_ref().ok_or_else(movie_not_found)?;
    let opened = sealer.open(movie_id, primary.stream_source_id, &primary.sealed_url).await;
    let playlist = opened.map_err(|error| {
        if matches!(error, SealingError::Shredded) {
            deny(Unplayable::NoPlayableSource);
        }
        cannot_open(error)
    })?;
    let token = issuer
        .issue(TokenRequest {
            movie_id,
            available_until: movie.window.end(),
            source_id: primary.stream_source_id,
            playlist: &playlist,
            viewer: &viewer,
            now,
            token_id: clock::new_uuid(),
        })
        .await
        .map_err(|error| {
            if let Some(reason) = unplayable(&error) {
                deny(reason);
            }
            cannot_issue(error)
        })?;

    let mut response = HttpResponse::Created();
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    for cookie in &token.cookies {
        if let Some(domain) = &cookie.domain {
            response
                .append_header((SET_COOKIE, set_cookie(cookie, domain, token.expires_at - now)));
        }
    }
    let cookies = token.cookies.into_iter().map(PlaybackCookie::from).collect();
    Ok(response.json(StreamToken {
        token_id: token.token_id,
        movie_id,
        signed_url: token.signed_url,
        cookies,
        issued_at: rfc3339(token.issued_at),
        expires_at: rfc3339(token.expires_at),
        refresh_after: rfc3339(token.refresh_after),
        session_id,
    }))
}

impl From<Cookie> for PlaybackCookie {
    fn from(cookie: Cookie) -> Self {
        Self { name: cookie.name, value: cookie.value, path: cookie.path }
    }
}

/// For a browser whose API and CDN are below one domain. All parts are of characters that a cookie may
/// have.
fn set_cookie(cookie: &Cookie, domain: &str, life: TimeDelta) -> String {
    let Cookie { name, value, path, .. } = cookie;
    let seconds = life.num_seconds();
    format!(
        "{name}={value}; Domain={domain}; Path={path}; Max-Age={seconds}; Secure; HttpOnly; SameSite=None"
    )
}

/// The body may be left away.
fn read_session_id(request: &HttpRequest, body: &Bytes) -> Result<Option<String>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let mut fields = Fields::of_body(read_json(request, body)?)?;
    let session_id = fields.optional_str("session_id", parse_client_id);
    fields.finish(Some(session_id))
}

fn cannot_open(error: SealingError) -> Problem {
    match error {
        SealingError::Unavailable(cause) => {
            Problem::unavailable("the stream cannot be reached right now", 1, cause)
        }
        // Its URLs were made unreadable on purpose: there is nothing to play any more.
        SealingError::Shredded => movie_not_found().with_cause(error),
        SealingError::BadKeys | SealingError::Damaged | SealingError::UnknownKek(_) => {
            Problem::internal(error)
        }
    }
}

/// What of it is the movie's, and not a failure of ours.
const fn unplayable(error: &IssueError) -> Option<Unplayable> {
    match error {
        IssueError::WindowEnds => Some(Unplayable::NoLongerAvailable),
        IssueError::UnknownHost | IssueError::Unsignable(_) => Some(Unplayable::StreamUnusable),
        IssueError::Audit(_) => None,
    }
}

fn cannot_issue(error: IssueError) -> Problem {
    match error {
        IssueError::WindowEnds => movie_not_found(),
        IssueError::UnknownHost | IssueError::Unsignable(_) => {
            Problem::new(ProblemCode::StreamUnusable, "the movie's stream cannot be signed")
                .with_cause(error)
        }
        IssueError::Audit(cause) => {
            Problem::unavailable("the token cannot be audited right now", 1, cause)
        }
    }
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
