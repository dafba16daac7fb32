//! `GET /v1/genres`: the genres of what viewers see now, with how many movies each has.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use marquee_infra::{
    clock,
    http::{CommonProblems, MaybePrincipal, Problem},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Freshness, PageCache,
    conditional::Document,
    consistency::{self, Patience},
    openapi::ReadHeaders,
    page_cache::Rendered,
    parameters::Parameters,
    snapshot,
};
use crate::catalog::{Catalog, Snapshot};

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
    params(ReadHeaders),
    responses(
        (status = 200, description = "All of them; ETag and Cache-Control say how long that is good for", body = GenreList),
        (status = 304, description = "It still has the ETag of If-None-Match"),
        CommonProblems,
    ),
    security((), ("bearer" = [])),
)]
pub(super) async fn list_genres(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    pages: web::Data<PageCache>,
    freshness: web::Data<Freshness>,
    patience: web::Data<Patience>,
    _principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    consistency::wait(&request, &catalog, **patience).await?;
    let snapshot = snapshot(&catalog)?;
    let Some(snapshot) = snapshot.as_ref() else { return Err(super::not_read_yet()) };
    let now = clock::now();
    let key = request.uri().path_and_query().map_or("", |path| path.as_str());
    let rendered = if let Some(rendered) = pages.get(key, snapshot, now) {
        rendered
    } else {
        Parameters::of(request.query_string()).finish()?;
        pages.put(key, render(snapshot, now)?)
    };
    let document = Document::public(
        rendered.body.clone(),
        rendered.etag.clone(),
        &freshness,
        rendered.valid_until,
        now,
    );
    Ok(document.respond(&request))
}

/// Case is ignored, as in the list's filter; of several spellings the first in the alphabet is shown.
fn render(snapshot: &Snapshot, now: DateTime<Utc>) -> Result<Rendered, Problem> {
    let mut genres = BTreeMap::<String, GenreItem<'_>>::new();
    let mut valid_until: Option<DateTime<Utc>> = None;
    for movie in snapshot.movies() {
        if let Some(edge) = movie.next_edge(now) {
            valid_until = Some(valid_until.map_or(edge, |earlier| earlier.min(edge)));
        }
        if !movie.is_available(now) {
            continue;
        }
        for genre in &movie.genres {
            let item = genres.entry(genre.to_lowercase()).or_insert(GenreItem { genre, movies: 0 });
            item.movies += 1;
            item.genre = item.genre.min(genre);
        }
    }
    let list = GenreList { items: genres.into_values().collect(), position: snapshot.position() };
    let body = serde_json::to_vec(&list).map_err(Problem::internal)?;
    Ok(Rendered::new(snapshot, body, valid_until))
}
