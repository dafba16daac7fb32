//! `DELETE /v1/movies/{movie_id}/stream-sources/{stream_source_id}`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{Principal, Problem, ProblemCode};

use super::{
    ApiState,
    command::{Incoming, run_on_movie},
};

pub async fn handle(
    state: web::Data<ApiState>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let incoming = Incoming::read("DetachStreamSource", http, &principal, payload).await?;
    let id = incoming.path_id("stream_source_id", ProblemCode::StreamSourceNotFound)?;
    run_on_movie(&state, incoming, MovieCommand::DetachStreamSource(id), 204).await
}
