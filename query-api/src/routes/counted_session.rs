//! Which viewing session a request is counted by when nobody is signed in.
//!
//! It is named by the path, or by `Viewing-Session`, and shown to be the caller's by `Anonymous-Id`. One that is not is
//! no error: the request is counted by its address, as it would be without.

use actix_web::{
    dev::ServiceRequest,
    http::{Method, header::HeaderMap},
};
use marquee_infra::clock;
use uuid::Uuid;

use super::session_owner::{ANONYMOUS_ID, live_session, parse_client_id};
use crate::{sessions::SessionIds, tokens::ViewerContextKey};

const VIEWING_SESSION: &str = "viewing-session";
const SESSIONS: &str = "/v1/viewing-sessions";

/// None: nobody's, or somebody else's.
pub fn counted_session(
    request: &ServiceRequest,
    ids: &SessionIds,
    viewers: &ViewerContextKey,
) -> Option<Uuid> {
    let headers = request.headers();
    // First, because most requests have none.
    let anonymous_id = parse_client_id(text(headers, ANONYMOUS_ID)?).ok()?;
    let session_id = match request.path().strip_prefix(SESSIONS) {
        // A session gains a quota: a start is its address's.
        Some("") if request.method() == Method::POST => return None,
        Some(path) if path.starts_with('/') => path[1..].split('/').next()?,
        _ => text(headers, VIEWING_SESSION)?,
    };
    let owner = viewers.context(None, Some(&anonymous_id));
    live_session(ids, session_id, &owner, clock::now()).map(|(id, _)| id.uuid())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
