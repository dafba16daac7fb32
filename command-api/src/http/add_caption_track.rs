//! `POST /v1/movies/{movie_id}/caption-tracks`

use actix_web::HttpResponse;
use marquee_domain::{CaptionTrackId, MovieCommand};
use marquee_infra::{
    clock,
    http::{CommonProblems, Problem, ProblemBody},
};

use super::{
    bodies,
    command::Call,
    openapi::{CaptionTrackBody, CommandHeaders, DryRun},
};
use crate::commands::{CommandAnswer, NewIds};

/// Probes and adds a caption track
#[utoipa::path(
    post, operation_id = "add_caption_track", path = "/v1/movies/{movie_id}/caption-tracks", tag = "caption tracks",
    params(("movie_id" = Uuid, Path, description = "The movie"), CommandHeaders, DryRun),
    request_body = CaptionTrackBody,
    responses(
        (status = 201, description = "Added; the first one is the default", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "language_taken", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed, caption_unusable", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("AddCaptionTrack").await?;
    let movie_id = incoming.movie_id()?;
    let caption = bodies::caption(incoming.json()?)?;
    incoming
        .run(move |work| async move {
            work.commands.expect_listed(movie_id).await?;
            let id = CaptionTrackId::new(clock::new_uuid());
            let new = work.ingest.caption(id, caption, "").await?;
            let ids = NewIds { caption_track_ids: vec![id], ..NewIds::default() };
            let command = MovieCommand::AddCaptionTrack(Box::new(new));
            work.execute(movie_id, command, ids, 201).await
        })
        .await
}
