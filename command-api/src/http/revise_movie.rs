//! `PATCH /v1/movies/{movie_id}`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody};

use super::{
    bodies,
    command::Call,
    openapi::{CommandHeaders, DryRun, ReviseMovieBody},
};
use crate::commands::CommandAnswer;

/// Changes what the body names
#[utoipa::path(
    patch, operation_id = "revise_movie", path = "/v1/movies/{movie_id}", tag = "movies",
    params(("movie_id" = Uuid, Path, description = "The movie"), CommandHeaders, DryRun),
    request_body = ReviseMovieBody,
    responses(
        (status = 200, description = "Revised, or nothing to change", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "title_taken", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed, duration_mismatch", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("ReviseMovie").await?;
    let patch = bodies::revision(incoming.json()?)?;
    incoming.run_on_movie(MovieCommand::Revise(Box::new(patch)), 200).await
}
