//! The HTTP endpoints, one a file.

mod conditional;
mod consistency;
mod get_movie;
mod issue_stream_token;
mod list_genres;
mod list_movies;
mod page_cache;
mod parameters;
mod verify_stream_token;

use std::sync::Arc;

use actix_web::{
    HttpResponse, Resource,
    http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE},
    middleware::from_fn,
    web,
};
use arc_swap::Guard;
use marquee_infra::{
    http::{MaybePrincipal, Problem, ProblemCode, Scope},
    rate_limit,
};

use crate::catalog::{Catalog, Snapshot};

pub use conditional::Freshness;
pub use consistency::Patience;
pub use page_cache::PageCache;

/// All routes but those that every service has.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        // Not limited: the edge asks it for every segment, on behalf of many viewers.
        .service(resource("/v1/stream-tokens/verify", "GET", |resource| {
            resource.route(web::get().to(verify_stream_token::verify_stream_token))
        }))
        .service(
            web::scope("/v1")
                .wrap(from_fn(rate_limit::enforce))
                .service(resource("/movies", "GET, HEAD", |resource| {
                    resource
                        .route(web::get().to(list_movies::list_movies))
                        .route(web::head().to(list_movies::list_movies))
                }))
                .service(resource("/movies/{id_or_slug}", "GET, HEAD", |resource| {
                    resource
                        .route(web::get().to(get_movie::get_movie))
                        .route(web::head().to(get_movie::get_movie))
                }))
                .service(resource("/genres", "GET, HEAD", |resource| {
                    resource
                        .route(web::get().to(list_genres::list_genres))
                        .route(web::head().to(list_genres::list_genres))
                }))
                .service(resource("/movies/{movie_id}/stream-tokens", "POST", |resource| {
                    resource.route(web::post().to(issue_stream_token::issue_stream_token))
                })),
        );
}

/// A resource that says which methods it takes.
fn resource(
    path: &'static str,
    methods: &'static str,
    routes: impl FnOnce(Resource) -> Resource,
) -> Resource {
    routes(web::resource(path)).default_service(web::to(move || async move {
        Err::<HttpResponse, _>(
            Problem::new(ProblemCode::MethodNotAllowed, format!("send {methods}"))
                .with_header(ALLOW, HeaderValue::from_static(methods)),
        )
    }))
}

/// 401 to the anonymous, 403 to those whose token does not grant `scope`.
fn require(principal: &MaybePrincipal, scope: Scope) -> Result<(), Problem> {
    let Some(principal) = &principal.0 else {
        return Err(Problem::new(
            ProblemCode::Unauthenticated,
            format!("an access token with the scope {} is needed", scope.as_str()),
        )
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"marquee\"")));
    };
    principal.require(scope)
}

/// The catalog as it is now; 503 until it has been read for the first time.
fn snapshot(catalog: &Catalog) -> Result<Guard<Option<Arc<Snapshot>>>, Problem> {
    let snapshot = catalog.snapshot();
    if snapshot.is_none() {
        return Err(not_read_yet());
    }
    Ok(snapshot)
}

fn not_read_yet() -> Problem {
    Problem::unavailable("the catalog has not been read yet", 1, "no snapshot")
}
