//! `DELETE /v1/movies/{movie_id}/caption-tracks/{caption_track_id}`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};

/// Removes a caption track
#[utoipa::path(
    delete, operation_id = "remove_caption_track", path = "/v1/movies/{movie_id}/caption-tracks/{caption_track_id}", tag = "caption tracks",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("caption_track_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "caption_required", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("RemoveCaptionTrack").await?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    incoming.run_on_movie(MovieCommand::RemoveCaptionTrack(id), 204).await
}
