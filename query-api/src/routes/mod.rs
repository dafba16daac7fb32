//! The HTTP endpoints, one a file.

mod conditional;
mod consistency;
mod cors;
mod get_movie;
mod get_movie_as_of;
mod issue_stream_token;
mod list_genres;
mod list_movies;
mod movie_history;
mod openapi;
mod page_cache;
mod parameters;
mod read_events;
mod stream_token_validity;
mod verify_stream_token;

use std::sync::Arc;

use actix_web::{
    HttpResponse, Resource, Route,
    guard::fn_guard,
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
pub use cors::is_origin;
pub use openapi::ApiDescription;
pub use page_cache::PageCache;

/// An address of the API. What is served is in [`ENDPOINTS`] and nowhere else, so that tests can look
/// at all of it.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    pub path: &'static str,
    pub methods: &'static [&'static str],
    /// Whether viewers' requests are counted.
    limited: bool,
    handler: fn() -> Route,
}

const READ: &[&str] = &["GET", "HEAD"];

/// All routes but those that every service has.
pub const ENDPOINTS: [Endpoint; 8] = [
    Endpoint {
        path: "/v1/movies",
        methods: READ,
        limited: true,
        handler: || web::route().to(list_movies::list_movies),
    },
    Endpoint {
        path: "/v1/movies/{id_or_slug}",
        methods: READ,
        limited: true,
        handler: || web::route().to(get_movie::get_movie),
    },
    Endpoint {
        path: "/v1/movies/{id_or_slug}/history",
        methods: READ,
        limited: true,
        handler: || web::route().to(movie_history::movie_history),
    },
    Endpoint {
        path: "/v1/movies/{movie_id}/stream-tokens",
        methods: &["POST"],
        limited: true,
        handler: || web::route().to(issue_stream_token::issue_stream_token),
    },
    Endpoint {
        path: "/v1/genres",
        methods: READ,
        limited: true,
        handler: || web::route().to(list_genres::list_genres),
    },
    Endpoint {
        path: "/v1/events",
        methods: &["GET"],
        limited: true,
        handler: || web::route().to(read_events::read_events),
    },
    // Not limited: the edge asks it for every segment, on behalf of many viewers.
    Endpoint {
        path: "/v1/stream-tokens/verify",
        methods: &["GET"],
        limited: false,
        handler: || web::route().to(verify_stream_token::verify_stream_token),
    },
    Endpoint {
        path: "/v1/stream-tokens/validity",
        methods: &["GET"],
        limited: false,
        handler: || web::route().to(stream_token_validity::stream_token_validity),
    },
];

const VERSION: &str = "/v1";

/// `origins`: the web pages that may use it.
pub fn configure(config: &mut web::ServiceConfig, origins: &[String]) {
    let (limited, free): (Vec<_>, Vec<_>) =
        ENDPOINTS.into_iter().partition(|endpoint| endpoint.limited);
    for endpoint in free {
        config.service(endpoint.resource(endpoint.path));
    }
    // The scope, not each resource: what is not found there is counted as well.
    // A preflight is answered before it is counted.
    let mut scope =
        web::scope(VERSION).wrap(from_fn(rate_limit::enforce)).wrap(cors::cors(origins));
    for endpoint in limited {
        let path = endpoint.path.strip_prefix(VERSION).unwrap_or(endpoint.path);
        scope = scope.service(endpoint.resource(path));
    }
    config.service(scope);
}

impl Endpoint {
    /// It says which methods it takes.
    fn resource(self, path: &str) -> Resource {
        let taken = fn_guard(move |context| self.methods.contains(&context.head().method.as_str()));
        web::resource(path)
            .route((self.handler)().guard(taken))
            .default_service(web::to(move || async move { Err::<HttpResponse, _>(self.refuse()) }))
    }

    fn refuse(self) -> Problem {
        let methods = self.methods.join(", ");
        let problem = Problem::new(ProblemCode::MethodNotAllowed, format!("send {methods}"));
        match HeaderValue::try_from(methods) {
            Ok(methods) => problem.with_header(ALLOW, methods),
            Err(cause) => Problem::internal(cause),
        }
    }
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
