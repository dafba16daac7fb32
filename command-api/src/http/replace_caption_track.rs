//! `PUT /v1/movies/{movie_id}/caption-tracks/{caption_track_id}`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    bodies,
    command::Call,
    openapi::{CaptionTrackBody, CommandHeaders, DryRun},
};
use crate::commands::{CommandAnswer, NewIds};

/// Replaces a caption track
#[utoipa::path(
    put, operation_id = "replace_caption_track", path = "/v1/movies/{movie_id}/caption-tracks/{caption_track_id}", tag = "caption tracks",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("caption_track_id" = Uuid, Path), CommandHeaders, DryRun),
    request_body = CaptionTrackBody,
    responses(
        (status = 200, description = "Replaced", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "language_taken", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed, caption_unusable", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("ReplaceCaptionTrack").await?;
    let movie_id = incoming.movie_id()?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    let caption = bodies::caption(incoming.json()?)?;
    incoming
        .run(move |work| async move {
            work.commands.expect_listed(movie_id).await?;
            let new = work.ingest.caption(id, caption, "").await?;
            let ids = NewIds { caption_track_ids: vec![id], ..NewIds::default() };
            let command = MovieCommand::ReplaceCaptionTrack(Box::new(new));
            work.execute(movie_id, command, ids, 200).await
        })
        .await
}
