//! `PUT /v1/movies/{movie_id}/caption-tracks/{caption_track_id}`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{Principal, Problem, ProblemCode};

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
    let incoming = Incoming::read("ReplaceCaptionTrack", http, &principal, payload).await?;
    let movie_id = incoming.movie_id()?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    let caption = bodies::caption(incoming.json()?)?;
    let ApiState { commands, ingest, runtime } = (**state).clone();
    let request = incoming.request;
    run(&runtime, async move {
        if let Some(done) = commands.replay(&request).await? {
            return Ok(done);
        }
        commands.expect_listed(movie_id).await?;
        let new = ingest.caption(id, caption, "").await?;
        let ids = NewIds { caption_track_ids: vec![id], ..NewIds::default() };
        let command = MovieCommand::ReplaceCaptionTrack(Box::new(new));
        commands.execute(&request, movie_id, command, ids, 200).await
    })
    .await
}
