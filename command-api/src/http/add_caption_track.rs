//! `POST /v1/movies/{movie_id}/caption-tracks`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::{CaptionTrackId, MovieCommand};
use marquee_infra::{
    clock,
    http::{Principal, Problem},
};

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
    let incoming = Incoming::read("AddCaptionTrack", http, &principal, payload).await?;
    let movie_id = incoming.movie_id()?;
    let caption = bodies::caption(incoming.json()?)?;
    let ApiState { commands, ingest, runtime } = (**state).clone();
    let request = incoming.request;
    run(&runtime, async move {
        if let Some(done) = commands.replay(&request).await? {
            return Ok(done);
        }
        commands.expect_listed(movie_id).await?;
        let id = CaptionTrackId::new(clock::new_uuid());
        let new = ingest.caption(id, caption, "").await?;
        let ids = NewIds { caption_track_ids: vec![id], ..NewIds::default() };
        let command = MovieCommand::AddCaptionTrack(Box::new(new));
        commands.execute(&request, movie_id, command, ids, 201).await
    })
    .await
}
