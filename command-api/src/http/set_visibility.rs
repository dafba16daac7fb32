//! `PUT /v1/movies/{movie_id}/visibility`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{Principal, Problem};

use super::{
    ApiState, bodies,
    command::{Incoming, run_on_movie},
};

pub async fn handle(
    state: web::Data<ApiState>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let incoming = Incoming::read("SetVisibility", http, &principal, payload).await?;
    let visibility = bodies::visibility(incoming.json()?)?;
    run_on_movie(&state, incoming, MovieCommand::SetVisibility(visibility), 200).await
}
