//! `POST /v1/movies/{movie_id}/caption-tracks/{caption_track_id}/validate`

use actix_web::HttpResponse;
use marquee_domain::movie::Trigger;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};
use crate::commands::{CommandAnswer, NewIds, revalidate_caption};

/// Probes a track again
#[utoipa::path(
    post, operation_id = "validate_caption_track", path = "/v1/movies/{movie_id}/caption-tracks/{caption_track_id}/validate", tag = "caption tracks",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("caption_track_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 200, description = "Probed; what was found is an event, whether it changed or not", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("ValidateCaptionTrack").await?;
    let movie_id = incoming.movie_id()?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    incoming
        .run(move |work| async move {
            let command =
                revalidate_caption(&work.commands, &work.ingest, movie_id, id, Trigger::Request)
                    .await?;
            let ids = NewIds { caption_track_ids: vec![id], ..NewIds::default() };
            work.execute(movie_id, command, ids, 200).await
        })
        .await
}
