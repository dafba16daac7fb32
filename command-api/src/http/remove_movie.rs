//! `DELETE /v1/movies/{movie_id}`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Principal, Problem, ProblemBody};

use super::{
    ApiState,
    command::{Incoming, run_on_movie},
    openapi::{CommandHeaders, DryRun},
};

/// Removes a movie
#[utoipa::path(
    delete, path = "/v1/movies/{movie_id}", tag = "movies",
    params(("movie_id" = Uuid, Path, description = "The movie"), CommandHeaders, DryRun),
    responses(
        (status = 204, description = "Removed; its title is free again, its slug never is"),
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
    let incoming = Incoming::read("RemoveMovie", http, &principal, payload).await?;
    run_on_movie(&state, incoming, MovieCommand::Remove, 204).await
}
