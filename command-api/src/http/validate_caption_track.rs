//! `POST /v1/movies/{movie_id}/caption-tracks/{caption_track_id}/validate`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::movie::Trigger;
use marquee_infra::http::{CommonProblems, Principal, Problem, ProblemBody, ProblemCode};

use super::{
    ApiState,
    command::{Incoming, run},
    openapi::{CommandHeaders, DryRun},
};
use crate::commands::{CommandAnswer, NewIds, revalidate_caption};

/// Probes a track again
#[utoipa::path(
    post, path = "/v1/movies/{movie_id}/caption-tracks/{caption_track_id}/validate", tag = "caption tracks",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("caption_track_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 200, description = "Probed; what changed is an event", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(
    state: web::Data<ApiState>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let incoming = Incoming::read("ValidateCaptionTrack", http, &principal, payload).await?;
    let movie_id = incoming.movie_id()?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    let ApiState { commands, ingest, runtime } = (**state).clone();
    let request = incoming.request;
    run(&runtime, async move {
        if let Some(done) = commands.replay(&request).await? {
            return Ok(done);
        }
        let command =
            revalidate_caption(&commands, &ingest, movie_id, id, Trigger::Request).await?;
        let ids = NewIds { caption_track_ids: vec![id], ..NewIds::default() };
        commands.execute(&request, movie_id, command, ids, 200).await
    })
    .await
}
