//! `DELETE /v1/movies/{movie_id}`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};

/// Removes a movie
#[utoipa::path(
    delete, operation_id = "remove_movie", path = "/v1/movies/{movie_id}", tag = "movies",
    params(("movie_id" = Uuid, Path, description = "The movie"), CommandHeaders, DryRun),
    responses(
        (status = 204, description = "Removed; its title is free again, its slug never is"),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("RemoveMovie").await?;
    incoming.run_on_movie(MovieCommand::Remove, 204).await
}
