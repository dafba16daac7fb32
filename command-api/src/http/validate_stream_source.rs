//! `POST /v1/movies/{movie_id}/stream-sources/{stream_source_id}/validate`

use actix_web::HttpResponse;
use marquee_domain::movie::Trigger;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};
use crate::commands::{CommandAnswer, NewIds, revalidate_source};

/// Probes a source again
#[utoipa::path(
    post, operation_id = "validate_stream_source", path = "/v1/movies/{movie_id}/stream-sources/{stream_source_id}/validate", tag = "stream sources",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("stream_source_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 200, description = "Probed; what was found is an event, whether it changed or not", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("ValidateStreamSource").await?;
    let movie_id = incoming.movie_id()?;
    let id = incoming.path_id("stream_source_id", ProblemCode::StreamSourceNotFound)?;
    incoming
        .run(move |work| async move {
            let command =
                revalidate_source(&work.commands, &work.ingest, movie_id, id, Trigger::Request)
                    .await?;
            let ids = NewIds { stream_source_ids: vec![id], ..NewIds::default() };
            work.execute(movie_id, command, ids, 200).await
        })
        .await
}
