//! `POST /v1/movies/{movie_id}/stream-sources`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody};

use super::{
    bodies,
    command::Call,
    openapi::{CommandHeaders, DryRun, StreamSourceBody},
};
use crate::commands::{CommandAnswer, NewIds};

/// Probes, seals and attaches a stream
#[utoipa::path(
    post, operation_id = "attach_stream_source", path = "/v1/movies/{movie_id}/stream-sources", tag = "stream sources",
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
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("AttachStreamSource").await?;
    let movie_id = incoming.movie_id()?;
    let source = bodies::source(incoming.json()?)?;
    incoming
        .run(move |work| async move {
            work.commands.expect_listed(movie_id).await?;
            let new = work.ingest.source(movie_id, source, "").await?;
            let ids = NewIds { stream_source_ids: vec![new.stream_source_id], ..NewIds::default() };
            let command = MovieCommand::AttachStreamSource(Box::new(new));
            work.execute(movie_id, command, ids, 201).await
        })
        .await
}
