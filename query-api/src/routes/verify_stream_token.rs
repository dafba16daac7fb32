//! `GET /v1/stream-tokens/verify`: the edge asks, for every playlist and segment (nginx's
//! `auth_request`). 204: serve it; 403: refuse it.
//!
//! The edge may keep a 204 if it says which validity it keeps it for (`X-Token-Validity`), and that is
//! still the one here: another process may be ahead of this one, or behind.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use chrono::{DateTime, Utc};
use marquee_infra::{
    clock,
    http::{Problem, ProblemBody, ProblemCode, Quiet},
};

use super::{
    openapi::VerifyHeaders,
    snapshot,
    stream_token_validity::{ACCEL_EXPIRES, NO_STORE, VALIDITY, tag},
};
use crate::{
    catalog::Catalog,
    tokens::{Issuer, Notices, Refusal, verify},
};

const TOKEN: &str = "x-stream-token";
/// Decoded and normalised: exactly what the edge serves if it is told so.
const PATH: &str = "x-original-path";
/// The CDN's host that the edge stands for, as it is configured there: never what a viewer says.
const HOST: &str = "x-original-host";
const NEVER: HeaderValue = HeaderValue::from_static("0");

/// Whether a stream token opens a path now
///
/// For the edge (nginx's `auth_request`), which asks it for playlists and segments. With the current `X-Token-Validity`, the
/// answer's `X-Accel-Expires` says how long nginx may keep it, for all paths below the token's directory.
#[utoipa::path(
    get, path = "/v1/stream-tokens/verify", tag = "playback",
    params(VerifyHeaders),
    responses(
        (status = 204, description = "Serve it"),
        (status = 403, description = "token_refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The catalog has not been read yet", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn verify_stream_token(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    issuer: web::Data<Issuer>,
    notices: web::Data<Notices>,
) -> Result<HttpResponse, Problem> {
    request.extensions_mut().insert(Quiet);
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (Some(token), Some(path)) = (header(TOKEN), header(PATH)) else {
        return Err(refused(Refusal::Malformed));
    };
    let snapshot = snapshot(&catalog)?;
    let Some(snapshot) = snapshot.as_ref() else { return Err(super::not_read_yet()) };
    let (now, cdns) = (clock::now(), issuer.cdns().now());
    // A name that is no text is nobody's: it is not to be taken for no name.
    let host = request.headers().get(HOST).map(|host| host.to_str().unwrap_or_default());
    let verified = verify(&cdns, snapshot, token, host, path, now);
    if let Err(Refusal::Revoked(revoked)) = verified {
        notices.revoked(revoked, now);
    }
    let until = verified.map_err(refused)?;
    let known = header(VALIDITY.as_str()) == Some(tag(snapshot, &cdns).as_str());
    Ok(HttpResponse::NoContent()
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header((ACCEL_EXPIRES, kept_until(until, now).filter(|_| known).unwrap_or(NEVER)))
        .finish())
}

/// nginx keeps an answer to the end of the second that is named: the last one that is whole.
fn kept_until(until: DateTime<Utc>, now: DateTime<Utc>) -> Option<HeaderValue> {
    let last = until.timestamp() - 1;
    let value = HeaderValue::try_from(format!("@{last}")).ok()?;
    (last >= now.timestamp()).then_some(value)
}

fn refused(why: Refusal) -> Problem {
    Problem::new(ProblemCode::TokenRefused, "the token does not open this path now").with_cause(why)
}
