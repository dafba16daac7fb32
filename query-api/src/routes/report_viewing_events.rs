//! `POST /v1/viewing-sessions/{session_id}/events`: what a player reports, one event or several. They are
//! facts in Kafka when it is answered. Sent again, or in another order, they change nothing.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use marquee_domain::{ViewingSessionId, viewing_session::ViewingSessionEvent};
use marquee_infra::{
    clock,
    http::{
        CommonProblems, Fields, MaybePrincipal, Problem, ProblemBody, RequestId, read_body,
        read_json,
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    openapi::{AnonymousHeader, ReportBody},
    session_owner::{live_session, owner, parse_client_id, read_anonymous_id, session_not_found},
};
use crate::{
    sessions::{ReportError, Reporter, SessionIds, read_reports},
    tokens::ViewerContextKey,
};

#[derive(Serialize, ToSchema)]
pub(super) struct ReportTaken {
    #[schema(value_type = Uuid)]
    session_id: ViewingSessionId,
    /// How many events.
    accepted: usize,
}

/// What a player reports: heartbeats, states, errors, the end
///
/// One event, or up to 50 in `events`. An event is known by its `sequence`, which the player counts from 1: one that is sent
/// again, or late, changes nothing. If the answer is lost or 503, send all of them again.
#[utoipa::path(
    post, path = "/v1/viewing-sessions/{session_id}/events", tag = "sessions",
    params(("session_id" = Uuid, Path, description = "The session's id"), AnonymousHeader),
    request_body = ReportBody,
    responses(
        (status = 202, description = "Kafka has them", body = ReportTaken),
        (status = 404, description = "viewing_session_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "payload_too_large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "unsupported_media_type", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = [])),
)]
pub(super) async fn report_viewing_events(
    session_id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    ids: web::Data<SessionIds>,
    viewers: web::Data<ViewerContextKey>,
    reporter: web::Data<Reporter>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let in_header = read_anonymous_id(&request)?;
    let body = read_json(&request, &read_body(payload).await?)?;
    let has_list = body.get("events").is_some();
    let mut fields = Fields::of_body(body)?;
    let anonymous_id = fields.optional_str("anonymous_id", parse_client_id);
    if anonymous_id.is_some() && in_header.is_some() && anonymous_id != in_header {
        fields.error("anonymous_id", "must be the same as in the header Anonymous-Id");
    }
    let anonymous_id = anonymous_id.or(in_header);
    let owner = owner(&viewers, &principal, anonymous_id.as_deref());
    if owner.is_none() && !fields.has_error("anonymous_id") {
        fields.error("anonymous_id", "is required without an access token");
    }
    let reports = read_reports(&mut fields, has_list);
    let (owner, reports) = fields.finish(owner.map(|owner| (owner, reports)))?;

    let now = clock::now();
    let (session_id, started_at) =
        live_session(&ids, &session_id, &owner, now).ok_or_else(session_not_found)?;
    let events: Vec<ViewingSessionEvent> =
        reports.into_iter().map(|report| report.event(session_id, started_at, now)).collect();
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    reporter.publish(&events, request_id.as_deref()).await.map_err(cannot_report)?;

    Ok(HttpResponse::Accepted()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(ReportTaken { session_id, accepted: events.len() }))
}

pub(super) fn cannot_report(error: ReportError) -> Problem {
    match error {
        ReportError::Publish(cause) if cause.retryable() => Problem::unavailable(
            "viewing sessions cannot be recorded right now; sending it again is safe",
            1,
            cause,
        ),
        error => Problem::internal(error),
    }
}
