//! `GET /v1/viewing-sessions`: for operators who look for what went wrong. The newest first.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use marquee_infra::http::{CommonProblems, MaybePrincipal, Problem, ProblemBody, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    get_viewing_session::cannot_read, openapi::SessionParameters, parameters::Parameters, require,
};
use crate::sessions::{Filter, Place, SessionReader, ViewingSession};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// Some sessions, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ViewingSessionList {
    items: Vec<ViewingSession>,
    /// `cursor` of the next page; null at the end.
    next_cursor: Option<String>,
}

/// Viewing sessions, the newest first
///
/// By movie, by when they began, with or without errors; or those of a stream token.
#[utoipa::path(
    get, path = "/v1/viewing-sessions", tag = "sessions",
    params(SessionParameters),
    responses(
        (status = 200, description = "A page of sessions", body = ViewingSessionList),
        (status = 403, description = "insufficient_scope: ops:read is needed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security(("bearer" = ["ops:read"])),
)]
pub(super) async fn list_viewing_sessions(
    request: HttpRequest,
    reader: web::Data<SessionReader>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OpsRead)?;
    let (filter, after, limit) = read_query(request.query_string())?;
    let page = reader.page(&filter, &after, limit).await.map_err(cannot_read)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-store")))
        .json(ViewingSessionList {
            items: page.items,
            next_cursor: page.next.map(|place| place.to_string()),
        }))
}

fn read_query(query: &str) -> Result<(Filter, Place, u32), Problem> {
    let mut parameters = Parameters::of(query);
    let movie_id = parameters.take("movie_id", |id| {
        id.parse::<MovieId>().map_err(|_| "must be the id of a movie, a UUID")
    });
    let token_id = parameters.take("token_id", |id| {
        Uuid::try_parse(id).map_err(|_| "must be the token_id of a stream token, a UUID")
    });
    let errors = parameters
        .take("errors", |errors| errors.parse::<bool>().map_err(|_| "must be true or false"));
    let from = parameters.take("from", instant);
    let to = parameters.take("to", instant);
    let cursor = parameters.take("cursor", str::parse::<Place>);
    let limit = parameters.take("limit", |limit| {
        limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
    });
    if token_id.is_some() && (movie_id.is_some() || errors.is_some()) {
        parameters.error("token_id", "is not taken beside movie_id or errors: it says more");
    }
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        parameters.error("to", "must be after from");
    }
    parameters.finish()?;
    let end = Place { started_at: to.unwrap_or(LAST), session_id: None };
    // A cursor is behind some session of the list, which began before `to`.
    let after = cursor.filter(|cursor| cursor.started_at < end.started_at).unwrap_or(end);
    Ok((Filter { movie_id, token_id, errors, from }, after, limit.unwrap_or(DEFAULT_LIMIT)))
}

/// The last second that MySQL's times have, and RFC 3339's.
const LAST: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
    Some(last) => last,
    None => DateTime::UNIX_EPOCH,
};

fn instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|instant| instant.to_utc())
        .filter(|instant| (DateTime::UNIX_EPOCH..=LAST).contains(instant))
        .ok_or("must be a time with its zone as in RFC 3339, such as 2030-01-31T20:15:00Z")
}
