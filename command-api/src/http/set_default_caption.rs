//! `PUT /v1/movies/{movie_id}/caption-tracks/{caption_track_id}/default`

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
    let incoming = Incoming::read("SetDefaultCaption", http, &principal, payload).await?;
    let id = incoming.path_id("caption_track_id", ProblemCode::CaptionTrackNotFound)?;
    run_on_movie(&state, incoming, MovieCommand::SetDefaultCaption(id), 200).await
}
