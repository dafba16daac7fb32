//! `PUT /v1/movies/{movie_id}/stream-sources/{stream_source_id}/primary`

use actix_web::HttpResponse;
use marquee_domain::MovieCommand;
use marquee_infra::http::{CommonProblems, Problem, ProblemBody, ProblemCode};

use super::{
    command::Call,
    openapi::{CommandHeaders, DryRun},
};
use crate::commands::CommandAnswer;

/// Makes a source the primary one
#[utoipa::path(
    put, operation_id = "promote_stream_source", path = "/v1/movies/{movie_id}/stream-sources/{stream_source_id}/primary", tag = "stream sources",
    params(("movie_id" = Uuid, Path, description = "The movie"), ("stream_source_id" = Uuid, Path), CommandHeaders, DryRun),
    responses(
        (status = 200, description = "It is the primary source", body = CommandAnswer),
        (status = 404, description = "No such movie, source or track: movie_not_found, stream_source_not_found, caption_track_not_found", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "not_showable: it is INVALID and the movie VISIBLE", body = ProblemBody, content_type = "application/problem+json"),
        (status = 412, description = "precondition_failed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("PromoteStreamSource").await?;
    let id = incoming.path_id("stream_source_id", ProblemCode::StreamSourceNotFound)?;
    incoming.run_on_movie(MovieCommand::PromoteStreamSource(id), 200).await
}
