//! `DELETE /v1/movies/{movie_id}`

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_domain::MovieCommand;
use marquee_infra::http::{Principal, Problem};

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
    let incoming = Incoming::read("RemoveMovie", http, &principal, payload).await?;
    run_on_movie(&state, incoming, MovieCommand::Remove, 204).await
}
