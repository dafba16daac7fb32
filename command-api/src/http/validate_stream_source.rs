//! `POST /v1/movies/{movie_id}/stream-sources/{stream_source_id}/validate`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_infra::http::{Principal, Problem, ProblemCode};

use super::{
    ApiState,
    command::{Incoming, run},
};
use crate::commands::{NewIds, revalidate_source};

pub async fn handle(
    state: web::Data<ApiState>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let incoming = Incoming::read("ValidateStreamSource", http, &principal, payload).await?;
    let movie_id = incoming.movie_id()?;
    let id = incoming.path_id("stream_source_id", ProblemCode::StreamSourceNotFound)?;
    let ApiState { commands, ingest, runtime } = (**state).clone();
    let request = incoming.request;
    run(&runtime, async move {
        if let Some(done) = commands.replay(&request).await? {
            return Ok(done);
        }
        let command = revalidate_source(&commands, &ingest, movie_id, id).await?;
        let ids = NewIds { stream_source_ids: vec![id], ..NewIds::default() };
        commands.execute(&request, movie_id, command, ids, 200).await
    })
    .await
}
