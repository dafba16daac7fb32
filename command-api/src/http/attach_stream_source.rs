//! `POST /v1/movies/{movie_id}/stream-sources`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Principal, Problem, ProblemBody};

use super::{
    ApiState, bodies,
    command::{Incoming, run},
    openapi::{CommandHeaders, DryRun, StreamSourceBody},
};
use crate::commands::{CommandAnswer, NewIds};

/// Probes, seals and attaches a stream
#[utoipa::path(
    post, path = "/v1/movies/{movie_id}/stream-sources", tag = "stream sources",
    params(("movie_id" = Uuid, Path, description = "The movie"), CommandHeaders, DryRun),
    request_body = StreamSourceBody,
    responses(
        (status = 201, description = "Attached; the first one is primary", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed, stream_unusable, duration_mismatch, drm_mismatch, stream_not_ended", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(
    state: web::Data<ApiState>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let incoming = Incoming::read("AttachStreamSource", http, &principal, payload).await?;
    let movie_id = incoming.movie_id()?;
    let source = bodies::source(incoming.json()?)?;
    let ApiState { commands, ingest, runtime } = (**state).clone();
    let request = incoming.request;
    run(&runtime, async move {
        if let Some(done) = commands.replay(&request).await? {
            return Ok(done);
        }
        commands.expect_listed(movie_id).await?;
        let new = ingest.source(movie_id, source, "").await?;
        let ids = NewIds { stream_source_ids: vec![new.stream_source_id], ..NewIds::default() };
        let command = MovieCommand::AttachStreamSource(Box::new(new));
        commands.execute(&request, movie_id, command, ids, 201).await
    })
    .await
}
