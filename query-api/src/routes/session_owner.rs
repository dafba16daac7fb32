//! Whose viewing session: the user of the access token, or whoever knows the anonymous id.

use actix_web::HttpRequest;
use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::ViewingSessionId;
use marquee_infra::http::{FieldError, MaybePrincipal, Principal, Problem, ProblemCode};

use crate::{
    sessions::SessionIds,
    tokens::{ViewerContext, ViewerContextKey},
};

pub(super) const ANONYMOUS_ID: &str = "anonymous-id";
const MAX_ID_CHARS: usize = 128;

/// How long a session takes reports: as long as the longest movie.
const MAX_SESSION: TimeDelta = TimeDelta::days(7);

/// An id that the client makes up. As short as it may be, it is all that keeps others from what is the client's.
pub(super) fn parse_client_id(text: &str) -> Result<String, String> {
    let sane = (1..=MAX_ID_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    sane.then(|| text.to_owned())
        .ok_or_else(|| format!("must have 1 to {MAX_ID_CHARS} visible ASCII characters"))
}

/// From the header `Anonymous-Id`.
pub(super) fn read_anonymous_id(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(header) = request.headers().get(ANONYMOUS_ID) else { return Ok(None) };
    parse_client_id(header.to_str().unwrap_or_default()).map(Some).map_err(|detail| {
        Problem::new(ProblemCode::InvalidRequest, "see errors")
            .with_errors(vec![FieldError { pointer: ANONYMOUS_ID.to_owned(), detail }])
    })
}

/// None: nobody in particular.
pub(super) fn owner(
    viewers: &ViewerContextKey,
    principal: &MaybePrincipal,
    anonymous_id: Option<&str>,
) -> Option<ViewerContext> {
    match principal.0.as_ref().map(Principal::user_id) {
        Some(user) => Some(viewers.context(Some(user), None)),
        None => anonymous_id.map(|id| viewers.context(None, Some(id))),
    }
}

/// The session, if it is the owner's.
pub(super) fn own_session(
    ids: &SessionIds,
    session_id: &str,
    owner: &ViewerContext,
) -> Option<ViewingSessionId> {
    session_id.parse().ok().filter(|id| ids.belongs(*id, owner))
}

/// The session and when it began, if it is the owner's and still takes reports.
pub(super) fn live_session(
    ids: &SessionIds,
    session_id: &str,
    owner: &ViewerContext,
    now: DateTime<Utc>,
) -> Option<(ViewingSessionId, DateTime<Utc>)> {
    let session_id = own_session(ids, session_id, owner)?;
    let started_at = SessionIds::started_at(session_id)?;
    (now - started_at <= MAX_SESSION).then_some((session_id, started_at))
}

pub(super) fn session_not_found() -> Problem {
    Problem::new(
        ProblemCode::ViewingSessionNotFound,
        "no viewing session of yours has this id, or it takes no more reports",
    )
}
