//! `PUT /v1/movies/{movie_id}/caption-tracks/{caption_track_id}/default`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};
use crate::commands::CommandAnswer;

/// Makes a track the default
#[utoipa::path(
    put, operation_id = "set_default_caption", path = "/v1/movies/{movie_id}/caption-tracks/{caption_track_id}/default", tag = "caption tracks",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("caption_track_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 200, description = "It is the default", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("SetDefaultCaption").await?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    incoming.run_on_movie(MovieCommand::SetDefaultCaption(id), 200).await
}
