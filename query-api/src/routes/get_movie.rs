//! `GET /v1/movies/{id or slug}`: one movie. With `visibility=any` and `catalog:read`, also one that
//! viewers do not see, with what only editors are shown.

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_infra::{
    clock,
    http::{MaybePrincipal, Problem, ProblemCode, Scope},
};

use super::{
    Freshness,
    conditional::Document,
    consistency::{self, Patience},
    parameters::Parameters,
    require, snapshot,
};
use crate::catalog::{Catalog, etag};

pub(super) async fn get_movie(
    request: HttpRequest,
    catalog: web::Data<Catalog>,
    freshness: web::Data<Freshness>,
    patience: web::Data<Patience>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let any_visibility = match request.query_string() {
        "" => false,
        query => {
            let mut parameters = Parameters::of(query);
            let any = parameters.take("visibility", |visibility| match visibility {
                "any" => Ok(()),
                _ => Err("must be any, or not be there"),
            });
            parameters.finish()?;
            any.is_some()
        }
    };
    if any_visibility {
        require(&principal, Scope::CatalogRead)?;
    }
    consistency::wait(&request, &catalog, **patience).await?;
    let snapshot = snapshot(&catalog)?;
    let now = clock::now();

    let id_or_slug = request.match_info().get("id_or_slug").unwrap_or_default();
    let movie = snapshot
        .as_ref()
        .and_then(|snapshot| snapshot.find(id_or_slug))
        .filter(|movie| any_visibility || movie.is_available(now))
        .ok_or_else(movie_not_found)?;
    let document = if any_visibility {
        let body = movie.editorial_document();
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

/// Hidden, outside its window, not playable, removed, never there: all the same to a viewer.
pub(super) fn movie_not_found() -> Problem {
    Problem::new(ProblemCode::MovieNotFound, "no such movie can be seen now")
}
