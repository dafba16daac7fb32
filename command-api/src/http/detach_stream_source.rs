//! `DELETE /v1/movies/{movie_id}/stream-sources/{stream_source_id}`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};

/// Detaches a source
#[utoipa::path(
    delete, operation_id = "detach_stream_source", path = "/v1/movies/{movie_id}/stream-sources/{stream_source_id}", tag = "stream sources",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("stream_source_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 204, description = "Detached"),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "primary_source_required", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("DetachStreamSource").await?;
    let id = incoming.path_id("stream_source_id", ProblemCode::StreamSourceNotFound)?;
    incoming.run_on_movie(MovieCommand::DetachStreamSource(id), 204).await
}
