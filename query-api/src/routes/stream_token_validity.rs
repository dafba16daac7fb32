//! `GET /v1/stream-tokens/validity`: a tag of all that makes a good token open nothing any more, but
//! for the passing of time: which movies are available, and which keys verify.
//!
//! The edge asks for it twice a second, and keeps what `verify` says of a token for as long as the tag
//! stays the same: so it need not ask about every segment, and a hidden movie's tokens are refused at
//! once all the same.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue},
    web,
};
use marquee_infra::http::{Problem, ProblemBody, Quiet};

use super::snapshot;
use crate::{
    catalog::{Catalog, Snapshot},
    tokens::{Cdns, Issuer},
};

/// In this endpoint's answer, and in the edge's request to `verify`.
pub(super) const VALIDITY: HeaderName = HeaderName::from_static("x-token-validity");
/// For nginx alone: it has precedence over `Cache-Control`, which is for all other caches.
pub(super) const ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What tokens' validity depends on, as a tag
///
/// For the edge, which keeps what `verify` says of a token while this tag, in `X-Token-Validity`, stays the same.
#[utoipa::path(
    get, path = "/v1/stream-tokens/validity", tag = "playback",
    responses(
        (status = 204, description = "The tag is in `X-Token-Validity`",
            headers(("X-Token-Validity" = String, description = "Opaque; to be compared only"))),
        (status = 503, description = "The catalog has not been read yet", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn stream_token_validity(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    issuer: web::Data<Issuer>,
) -> Result<HttpResponse, Problem> {
    request.extensions_mut().insert(Quiet);
    let snapshot = snapshot(&catalog)?;
    let Some(snapshot) = snapshot.as_ref() else { return Err(super::not_read_yet()) };
    Ok(HttpResponse::NoContent()
        .insert_header((CACHE_CONTROL, NO_STORE))
        // The edge puts the half second into its key; this is but longer than that.
        .insert_header((ACCEL_EXPIRES, HeaderValue::from_static("1")))
        .insert_header((VALIDITY, tag(snapshot, &issuer.cdns().now())))
        .finish())
}

pub(super) fn tag(snapshot: &Snapshot, cdns: &Cdns) -> String {
    format!("{:016x}{}", snapshot.availability(), cdns.verifying_digest())
}
