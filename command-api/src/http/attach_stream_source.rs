//! `POST /v1/movies/{movie_id}/stream-sources`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{Principal, Problem};

use super::{
    ApiState, bodies,
    command::{Incoming, run},
};
use crate::commands::NewIds;

pub async fn handle(
    state: web::Data<ApiState>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let incoming = Incoming::read("AttachStreamSource", http, &principal, payload).await?;
    let movie_id = incoming.movie_id()?;
    let source = bodies::source(incoming.json()?)?;
    let ApiState { commands, ingest, runtime } = (**state).clone();
    let request = incoming.request;
    run(&runtime, async move {
        if let Some(done) = commands.replay(&request).await? {
            return Ok(done);
        }
        commands.expect_listed(movie_id).await?;
        let new = ingest.source(movie_id, source, "").await?;
        let ids = NewIds { stream_source_ids: vec![new.stream_source_id], ..NewIds::default() };
        let command = MovieCommand::AttachStreamSource(Box::new(new));
        commands.execute(&request, movie_id, command, ids, 201).await
    })
    .await
}
