//! `GET /v1/stream-tokens/verify`: the edge asks, for every playlist and segment (nginx's
//! `auth_request`). 204: serve it; 403: refuse it.

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use marquee_infra::{
    clock,
    http::{Problem, ProblemBody, ProblemCode, Quiet},
};

use super::{openapi::VerifyHeaders, snapshot};
use crate::{
    catalog::Catalog,
    tokens::{Issuer, Refusal, verify},
};

const TOKEN: &str = "x-stream-token";
/// Decoded and normalised: exactly what the edge serves if it is told so.
const PATH: &str = "x-original-path";

/// Whether a stream token opens a path now
///
/// For the edge (nginx's `auth_request`), which asks it for every playlist and segment.
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
) -> Result<HttpResponse, Problem> {
    request.extensions_mut().insert(Quiet);
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (Some(token), Some(path)) = (header(TOKEN), header(PATH)) else {
        return Err(refused(Refusal::Malformed));
    };
    let snapshot = snapshot(&catalog)?;
    let Some(snapshot) = snapshot.as_ref() else { return Err(super::not_read_yet()) };
    verify(issuer.keys(), snapshot, token, path, clock::now()).map_err(refused)?;
    Ok(HttpResponse::NoContent().finish())
}

fn refused(why: Refusal) -> Problem {
    Problem::new(ProblemCode::TokenRefused, "the token does not open this path now").with_cause(why)
}
