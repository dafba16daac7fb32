//! `POST /v1/viewing-sessions`: a viewer begins to watch a movie. It is a fact in Kafka when it is
//! answered.

use std::io;

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue, LOCATION},
    web,
};
use chrono::{DateTime, SubsecRound, Utc};
use marquee_domain::{
    MovieId, ViewingSessionId,
    viewing_session::{DeviceType, Started, ViewingSessionEvent},
};
use marquee_infra::{
    clock,
    http::{
        CommonProblems, Fields, MaybePrincipal, Principal, Problem, ProblemBody, RequestId,
        read_body, read_json,
    },
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    consistency::{self, Patience},
    get_movie::movie_not_found,
    openapi::{ViewingSessionBody, WaitHeader},
    report_viewing_events::cannot_report,
    session_owner::{owner, parse_client_id},
    snapshot,
};
use crate::{
    catalog::{Catalog, CatalogMovie},
    sessions::{MAX_BATCH, Reporter, SessionIds},
    tokens::ViewerContextKey,
};

/// How often players are to report, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat(pub u32);

#[derive(Serialize, ToSchema)]
pub(super) struct ViewingSessionStart {
    #[schema(value_type = Uuid)]
    session_id: ViewingSessionId,
    #[schema(value_type = Uuid)]
    movie_id: MovieId,
    /// To be sent with every report of one who is not signed in; null for one who is.
    anonymous_id: Option<String>,
    started_at: DateTime<Utc>,
    /// How often to report. A session times out when three reports in a row have not come.
    heartbeat_seconds: u32,
    /// How many events may be reported at once.
    max_batch: usize,
}

struct Request {
    movie_id: MovieId,
    device_type: DeviceType,
    token_id: Option<Uuid>,
    anonymous_id: Option<String>,
}

/// A viewer begins to watch a movie
///
/// The session is the signed-in viewer's, or else that of whoever knows `anonymous_id`, which is made up
/// where it is left away.
#[utoipa::path(
    post, path = "/v1/viewing-sessions", tag = "sessions",
    params(WaitHeader),
    request_body = ViewingSessionBody,
    responses(
        (status = 201, description = "It has begun: report to `Location`/events", body = ViewingSessionStart),
        (status = 404, description = "movie_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "payload_too_large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "unsupported_media_type", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = [])),
)]
#[expect(clippy::too_many_arguments, reason = "actix passes what a handler needs as arguments")]
pub(super) async fn start_viewing_session(
    request: HttpRequest,
    payload: web::Payload,
    catalog: web::Data<Catalog>,
    ids: web::Data<SessionIds>,
    viewers: web::Data<ViewerContextKey>,
    reporter: web::Data<Reporter>,
    heartbeat: web::Data<Heartbeat>,
    patience: web::Data<Patience>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let body = read_json(&request, &read_body(payload).await?)?;
    let signed_in = principal.0.is_some();
    let Request { movie_id, device_type, token_id, mut anonymous_id } =
        read_request(Fields::of_body(body)?, signed_in)?;
    if !signed_in && anonymous_id.is_none() {
        anonymous_id = Some(hex::encode(clock::random_bytes::<16>()));
    }
    let owner = owner(&viewers, &principal, anonymous_id.as_deref())
        .ok_or_else(|| Problem::internal("a session without an owner"))?;
    consistency::wait(&request, &catalog, **patience).await?;

    // As exact as the id has it.
    let started_at = clock::now().trunc_subsecs(3);
    let duration_ms = {
        let snapshot = snapshot(&catalog)?;
        let movie = snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.get(movie_id))
            .filter(|movie| movie.is_available(started_at))
            .ok_or_else(movie_not_found)?;
        duration_ms(movie).map_err(Problem::internal)?
    };
    let session_id = ids.issue(&owner, started_at, clock::random_bytes());
    let started = ViewingSessionEvent::ViewingSessionStarted(Started {
        session_id,
        movie_id,
        token_id,
        device_type,
        started_at,
        duration_ms,
        heartbeat_seconds: heartbeat.0,
        viewer_id: principal.0.as_ref().map(Principal::user_id),
        // With the id itself, whoever reads the fact could act as the viewer.
        anonymous_id: anonymous_id.as_ref().map(|_| owner.as_str().to_owned()),
    });
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    reporter.publish(&[started], request_id.as_deref()).await.map_err(cannot_report)?;

    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((LOCATION, format!("/v1/viewing-sessions/{session_id}")))
        .json(ViewingSessionStart {
            session_id,
            movie_id,
            anonymous_id,
            started_at,
            heartbeat_seconds: heartbeat.0,
            max_batch: MAX_BATCH,
        }))
}

fn read_request(mut fields: Fields, signed_in: bool) -> Result<Request, Problem> {
    let movie_id = fields
        .required_str("movie_id", |id| id.parse().map_err(|_| "must be the id of a movie, a UUID"));
    let device_type = fields.required_str("device_type", DeviceType::parse);
    let token_id = fields.optional_str("token_id", |id| {
        Uuid::try_parse(id).map_err(|_| "must be the token_id of a stream token, a UUID")
    });
    let anonymous_id = fields.optional_str("anonymous_id", parse_client_id);
    if signed_in && anonymous_id.is_some() {
        fields.error("anonymous_id", "is for viewers without an access token");
    }
    let request = movie_id.zip(device_type).map(|(movie_id, device_type)| Request {
        movie_id,
        device_type,
        token_id,
        anonymous_id,
    });
    fields.finish(request)
}

/// As its primary stream was measured; as the catalog says, where it was not.
fn duration_ms(movie: &CatalogMovie) -> io::Result<u64> {
    let movie = movie.editorial(None)?;
    let primary = movie.stream_sources.iter().find(|source| source.source.primary);
    let measured = primary
        .map(|source| source.facts.measured_duration_seconds)
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok())
        .and_then(|measured| u64::try_from(measured.as_millis()).ok());
    Ok(measured.unwrap_or(u64::from(movie.fields.duration_minutes) * 60_000))
}
