//! `GET /v1/viewing-sessions/{session_id}`: what a session adds up to so far. For its owner, and for
//! `ops:read`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use marquee_infra::http::{
    CommonProblems, MaybePrincipal, Problem, ProblemBody, ProblemCode, Scope,
};

use super::{
    openapi::AnonymousHeader,
    require,
    session_owner::{own_session, owner, read_anonymous_id, session_not_found},
};
use crate::{
    mysql_read::ReadError,
    sessions::{SessionIds, SessionReader, ViewingSession},
    tokens::ViewerContextKey,
};

/// What a viewing session adds up to so far
///
/// For its owner: the signed-in viewer, or whoever sends its `Anonymous-Id`. With `ops:read`, any session.
#[utoipa::path(
    get, path = "/v1/viewing-sessions/{session_id}", tag = "sessions",
    params(("session_id" = Uuid, Path, description = "The session's id"), AnonymousHeader),
    responses(
        (status = 200, description = "The session", body = ViewingSession),
        (status = 404, description = "viewing_session_not_found", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = []), ("bearer" = ["ops:read"])),
)]
pub(super) async fn get_viewing_session(
    session_id: web::Path<String>,
    request: HttpRequest,
    ids: web::Data<SessionIds>,
    viewers: web::Data<ViewerContextKey>,
    reader: web::Data<SessionReader>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let anonymous_id = read_anonymous_id(&request)?;
    let is_operator = principal.0.as_ref().is_some_and(|principal| principal.has(Scope::OpsRead));
    let session_id = if is_operator {
        session_id.parse().map_err(|_| session_not_found())?
    } else {
        let Some(owner) = owner(&viewers, &principal, anonymous_id.as_deref()) else {
            // Nobody in particular: says what is needed.
            require(&principal, Scope::OpsRead)?;
            return Err(session_not_found());
        };
        own_session(&ids, &session_id, &owner).ok_or_else(session_not_found)?
    };
    match reader.find(session_id).await.map_err(cannot_read)? {
        Some(session) => Ok(HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-store")))
            .json(session)),
        None if is_operator => Err(session_not_found()),
        // It is known by its id, and in Kafka.
        None => Err(Problem::new(
            ProblemCode::NotYetProjected,
            "the viewing session is not readable yet",
        )
        .with_retry_after(1)),
    }
}

pub(super) fn cannot_read(error: ReadError) -> Problem {
    if error.retryable() {
        return Problem::unavailable("viewing sessions cannot be read right now", 1, error);
    }
    Problem::internal(error)
}
