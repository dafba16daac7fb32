//! `PUT /v1/movies/{movie_id}/visibility`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody};

use super::{
    bodies,
    command::Call,
    openapi::{CommandHeaders, DryRun, VisibilityBody},
};
use crate::commands::CommandAnswer;

/// Shows or hides a movie
#[utoipa::path(
    put, operation_id = "set_visibility", path = "/v1/movies/{movie_id}/visibility", tag = "movies",
    params(("movie_id" = Uuid, Path, description = "The movie"), CommandHeaders, DryRun),
    request_body = VisibilityBody,
    responses(
        (status = 200, description = "Done", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "not_showable: `unmet` says what is missing", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("SetVisibility").await?;
    let visibility = bodies::visibility(incoming.json()?)?;
    incoming.run_on_movie(MovieCommand::SetVisibility(visibility), 200).await
}
