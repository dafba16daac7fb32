//! `GET /v1/genres`: the genres of what viewers see now, with how many movies each has.

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_infra::{
    clock,
    http::{CommonProblems, MaybePrincipal, Problem},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Reads, conditional,
    openapi::{ReadHeaders, SessionHeaders},
    page_cache::Rendered,
    parameters::Parameters,
};
use crate::catalog::Snapshot;

#[derive(Serialize, ToSchema)]
pub(super) struct GenreList<'a> {
    items: Vec<GenreItem<'a>>,
    position: u64,
}

#[derive(Serialize, ToSchema)]
struct GenreItem<'a> {
    genre: &'a str,
    /// How many viewers see now.
    movies: usize,
}

/// The genres of what viewers see now
#[utoipa::path(
    get, path = "/v1/genres", tag = "catalog",
    params(ReadHeaders, SessionHeaders),
    responses(
        (status = 200, description = "All of them; ETag and Cache-Control say how long that is good for", body = GenreList),
        (status = 304, description = "It still has the ETag of If-None-Match"),
        CommonProblems,
    ),
    security((), ("bearer" = [])),
)]
pub(super) async fn list_genres(
    request: HttpRequest,
    reads: web::Data<Reads>,
    _principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let now = clock::now();
    let snapshot = reads.snapshot(&request).await?;
    let snapshot = snapshot.at(now);
    let key = request.uri().path_and_query().map_or("", |path| path.as_str());
    let rendered = if let Some(rendered) = reads.pages.get(key, &**snapshot) {
        rendered
    } else {
        Parameters::of(request.query_string()).finish()?;
        reads.pages.put(key, render(snapshot)?)
    };
    Ok(conditional::public(&request, &rendered, &reads.freshness, snapshot.next_edge(), now))
}

/// Case is ignored, as in the list's filter.
fn render(snapshot: &Snapshot) -> Result<Rendered, Problem> {
    let genres = snapshot.shown().genres().into_iter();
    let items = genres.map(|(genre, movies)| GenreItem { genre, movies }).collect();
    let list = GenreList { items, position: snapshot.position() };
    let body = serde_json::to_vec(&list).map_err(Problem::internal)?;
    Ok(Rendered::list(snapshot, body))
}
