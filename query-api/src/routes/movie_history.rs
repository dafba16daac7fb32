//! `GET /v1/movies/{id or slug}/history`: who changed what, when, by which command. For `catalog:read`,
//! whatever became of the movie.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use marquee_infra::http::{
    CommonProblems, MaybePrincipal, Problem, ProblemBody, ProblemCode, Scope,
};

use super::{
    consistency::{self, Patience},
    openapi::{HistoryParameters, WaitHeader},
    parameters::Parameters,
    require,
};
use crate::{
    catalog::Catalog,
    history::{History, HistoryError, HistoryPage},
};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 200;

/// Who changed what of a movie, when, by which command
///
/// In order, also of movies that are HIDDEN or were removed.
#[utoipa::path(
    get, path = "/v1/movies/{id_or_slug}/history", tag = "editors",
    params(
        ("id_or_slug" = String, Path, description = "The movie's id or slug", example = "metropolis"),
        HistoryParameters, WaitHeader,
    ),
    responses(
        (status = 200, description = "Its changes after version `after`", body = HistoryPage),
        (status = 403, description = "insufficient_scope: catalog:read is needed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "movie_not_found", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security(("bearer" = ["catalog:read"])),
)]
pub(super) async fn movie_history(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    history: web::Data<History>,
    patience: web::Data<Patience>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::CatalogRead)?;
    let mut parameters = Parameters::of(request.query_string());
    let after = parameters.take("after", |after| {
        after.parse().map_err(|_| "must be a version: a whole number, 0 for the beginning")
    });
    let limit = parameters.take("limit", |limit| {
        limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| format!("must be a whole number from 1 to {MAX_LIMIT}"))
    });
    parameters.finish()?;
    consistency::wait(&request, &catalog, **patience).await?;

    let id_or_slug = request.match_info().get("id_or_slug").unwrap_or_default();
    let movie_id =
        history.resolve(id_or_slug).await.map_err(cannot_read)?.ok_or_else(never_there)?;
    let page = history
        .page(movie_id, after.unwrap_or(0), limit.unwrap_or(DEFAULT_LIMIT))
        .await
        .map_err(cannot_read)?
        .ok_or_else(never_there)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
        .json(page))
}

pub(super) fn cannot_read(error: HistoryError) -> Problem {
    if error.retryable() {
        return Problem::unavailable("the history cannot be read right now", 1, error);
    }
    Problem::internal(error)
}

pub(super) fn never_there() -> Problem {
    Problem::new(ProblemCode::MovieNotFound, "no movie has ever had this id or slug")
}
