//! `GET /v1/movies/{id or slug}`: one movie. With `visibility=any` and `catalog:read`, also one that
//! viewers do not see, with what only editors are shown; with `as_of`, the movie as it was.

use actix_web::{HttpRequest, HttpResponse, web};
use marquee_infra::{
    clock,
    http::{CommonProblems, MaybePrincipal, Problem, ProblemBody, ProblemCode, Scope},
};

use super::{
    Reads, conditional, consistency,
    fields::Fields,
    get_movie_as_of::{get_movie_as_of, read_until},
    openapi::{MovieAnswer, MovieParameters, ReadHeaders, SessionHeaders},
    page_cache::Rendered,
    parameters::Parameters,
    require,
};
use crate::{
    catalog::{CatalogMovie, etag},
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
        MovieParameters, ReadHeaders, SessionHeaders,
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
    reads: web::Data<Reads>,
    history: web::Data<History>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    let Wanted { view, fields } = match request.query_string() {
        "" => Wanted { view: View::Viewers, fields: None },
        query => Wanted::read(query)?,
    };
    if view != View::Viewers {
        require(&principal, Scope::CatalogRead)?;
    }
    let id_or_slug = request.match_info().get("id_or_slug").unwrap_or_default();
    if let View::AsOf(until) = view {
        consistency::wait(&request, &reads.catalog, reads.patience).await?;
        return get_movie_as_of(&request, &history, id_or_slug, until).await;
    }

    let snapshot = reads.snapshot(&request).await?;
    let now = clock::now();
    let movie = snapshot
        .find(id_or_slug)
        .filter(|movie| view == View::Editors || movie.is_available(now))
        .ok_or_else(movie_not_found)?;
    if view == View::Editors {
        let movie_now = movie.editorial(snapshot.stale_since(movie.movie_id));
        let body = movie_now
            .and_then(|movie| Ok(serde_json::to_vec(&movie)?))
            .map_err(Problem::internal)?;
        let body = picked(body, fields.as_ref())?;
        let etag = etag(movie.position, &body);
        return Ok(conditional::private(&request, body.into(), etag));
    }
    let key = request.uri().path_and_query().map_or("", |path| path.as_str());
    let rendered = match reads.pages.get(key, &**movie) {
        Some(rendered) => rendered,
        None => reads.pages.put(key, render(movie, fields.as_ref())?),
    };
    let edge = movie.next_edge(now);
    Ok(conditional::public(&request, &rendered, &reads.freshness, edge, now))
}

fn render(movie: &CatalogMovie, fields: Option<&Fields>) -> Result<Rendered, Problem> {
    let body = picked(movie.document().map_err(Problem::internal)?, fields)?;
    let etag = if fields.is_some() { etag(movie.position, &body) } else { movie.etag() };
    Ok(Rendered::new(movie.into(), body, etag))
}

fn picked(body: Vec<u8>, fields: Option<&Fields>) -> Result<Vec<u8>, Problem> {
    match fields {
        Some(fields) => fields.pick(&body).map_err(Problem::internal),
        None => Ok(body),
    }
}

/// What is asked for.
struct Wanted {
    view: View,
    fields: Option<Fields>,
}

/// What of the movie is asked for. A URL has one meaning for everyone, whatever their scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Viewers,
    Editors,
    AsOf(Until),
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(query);
        let any = parameters.take("visibility", |visibility| match visibility {
            "any" => Ok(()),
            _ => Err("must be any, or not be there"),
        });
        let until = read_until(&mut parameters);
        let fields = parameters.take("fields", |names| Fields::parse(names, any.is_some()));
        if until.is_some() && fields.is_some() {
            parameters.error("fields", "cannot be there beside as_of or as_of_version");
        }
        parameters.finish()?;
        let view = match (until, any) {
            (Some(until), _) => View::AsOf(until),
            (None, Some(())) => View::Editors,
            (None, None) => View::Viewers,
        };
        Ok(Self { view, fields })
    }
}

/// Hidden, outside its window, not playable, removed, never there: all the same to a viewer.
pub(super) fn movie_not_found() -> Problem {
    Problem::new(ProblemCode::MovieNotFound, "no such movie can be seen now")
}
