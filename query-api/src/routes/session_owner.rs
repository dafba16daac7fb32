//! Whose viewing session: the user of the access token, or whoever knows the anonymous id.

use marquee_domain::ViewingSessionId;
use marquee_infra::http::{MaybePrincipal, Principal, Problem, ProblemCode};

use crate::{
    sessions::SessionIds,
    tokens::{ViewerContext, ViewerContextKey},
};

const MAX_ANONYMOUS_ID_CHARS: usize = 128;

/// As short as it may be, it is all that keeps others from a session.
pub(super) fn parse_anonymous_id(text: &str) -> Result<String, String> {
    let sane = (1..=MAX_ANONYMOUS_ID_CHARS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    sane.then(|| text.to_owned())
        .ok_or_else(|| format!("must have 1 to {MAX_ANONYMOUS_ID_CHARS} visible ASCII characters"))
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
) -> Result<ViewingSessionId, Problem> {
    let session_id = session_id.parse().map_err(|_| session_not_found())?;
    if ids.belongs(session_id, owner) { Ok(session_id) } else { Err(session_not_found()) }
}

pub(super) fn session_not_found() -> Problem {
    Problem::new(
        ProblemCode::ViewingSessionNotFound,
        "no viewing session of yours has this id, or it takes no more reports",
    )
}
