//! `GET /v1/movies/{id or slug}`: one movie. With `visibility=any` and `catalog:read`, also one that
//! viewers do not see, with what only editors are shown; with `as_of`, the movie as it was.

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_infra::{
    clock,
    http::{CommonProblems, MaybePrincipal, Problem, ProblemBody, ProblemCode, Scope},
};

use super::{
    Freshness,
    conditional::Document,
    consistency::{self, Patience},
    get_movie_as_of::{get_movie_as_of, read_until},
    openapi::{MovieAnswer, MovieParameters, ReadHeaders},
    parameters::Parameters,
    require, snapshot,
};
use crate::{
    catalog::{Catalog, etag},
    history::{History, Until},
};

/// One movie
///
/// Viewers get what is VISIBLE, inside its availability window now, and playable. With
/// `visibility=any`, `catalog:read` gets any movie that was not removed, with more members; with
/// `as_of` or `as_of_version`, the movie as it was.
#[utoipa::path(
    get, path = "/v1/movies/{id_or_slug}", tag = "catalog",
    params(
        ("id_or_slug" = String, Path, description = "The movie's id or slug", example = "metropolis"),
        MovieParameters, ReadHeaders,
    ),
    responses(
        (status = 200, description = "The movie; ETag and Cache-Control say how long it is good for", body = MovieAnswer),
        (status = 304, description = "It still has the ETag of If-None-Match"),
        (status = 403, description = "insufficient_scope: what is asked for needs catalog:read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "movie_not_found", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security((), ("bearer" = ["catalog:read"])),
)]
pub(super) async fn get_movie(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    freshness: web::Data<Freshness>,
    history: web::Data<History>,
    patience: web::Data<Patience>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let view = match request.query_string() {
        "" => View::Viewers,
        query => View::read(query)?,
    };
    if view != View::Viewers {
        require(&principal, Scope::CatalogRead)?;
    }
    consistency::wait(&request, &catalog, **patience).await?;
    let id_or_slug = request.match_info().get("id_or_slug").unwrap_or_default();
    if let View::AsOf(until) = view {
        return get_movie_as_of(&request, &history, id_or_slug, until).await;
    }

    let snapshot = snapshot(&catalog)?;
    let now = clock::now();
    let movie = snapshot
        .as_ref()
        .and_then(|snapshot| snapshot.find(id_or_slug))
        .filter(|movie| view == View::Editors || movie.is_available(now))
        .ok_or_else(movie_not_found)?;
    let document = if view == View::Editors {
        let stale_since =
            snapshot.as_ref().and_then(|snapshot| snapshot.stale_since(movie.movie_id));
        let body = movie
            .editorial(stale_since)
            .and_then(|movie| serde_json::to_vec(&movie))
            .map_err(Problem::internal)?;
        let etag = etag(movie.position, &body);
        Document::private(body.into(), etag)
    } else {
        Document::public(
            movie.document.clone(),
            movie.etag.clone(),
            &freshness,
            movie.next_edge(now),
            now,
        )
    };
    Ok(document.respond(&request))
}

/// What of the movie is asked for. A URL has one meaning for everyone, whatever their scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Viewers,
    Editors,
    AsOf(Until),
}

impl View {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(query);
        let any = parameters.take("visibility", |visibility| match visibility {
            "any" => Ok(()),
            _ => Err("must be any, or not be there"),
        });
        let until = read_until(&mut parameters);
        parameters.finish()?;
        Ok(match (until, any) {
            (Some(until), _) => Self::AsOf(until),
            (None, Some(())) => Self::Editors,
            (None, None) => Self::Viewers,
        })
    }
}

/// Hidden, outside its window, not playable, removed, never there: all the same to a viewer.
pub(super) fn movie_not_found() -> Problem {
    Problem::new(ProblemCode::MovieNotFound, "no such movie can be seen now")
}
