//! The HTTP endpoints, one a file.

mod conditional;
mod consistency;
mod cors;
mod counted_session;
mod encoding;
mod fields;
mod get_movie;
mod get_movie_as_of;
mod get_viewing_session;
mod issue_stream_token;
mod list_genres;
mod list_movies;
mod list_viewing_sessions;
mod movie_history;
mod openapi;
mod page_cache;
mod parameters;
mod rate_limit_bucket;
mod read_events;
mod report_viewing_events;
mod session_owner;
mod start_viewing_session;
mod stream_token_validity;
mod verify_stream_token;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route,
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

use crate::catalog::{Catalog, CursorKey, Snapshot};

pub use conditional::Freshness;
pub use consistency::Patience;
pub use cors::is_origin;
pub use counted_session::counted_session;
pub use openapi::ApiDescription;
pub use page_cache::PageCache;
pub use start_viewing_session::Heartbeat;

/// What an address of the API does for some methods. What is served is in [`ENDPOINTS`] and nowhere else, so that tests can look
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
pub const ENDPOINTS: [Endpoint; 13] = [
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
        path: "/v1/viewing-sessions",
        methods: &["POST"],
        limited: true,
        handler: || web::route().to(start_viewing_session::start_viewing_session),
    },
    Endpoint {
        path: "/v1/viewing-sessions",
        methods: READ,
        limited: true,
        handler: || web::route().to(list_viewing_sessions::list_viewing_sessions),
    },
    Endpoint {
        path: "/v1/viewing-sessions/{session_id}",
        methods: READ,
        limited: true,
        handler: || web::route().to(get_viewing_session::get_viewing_session),
    },
    Endpoint {
        path: "/v1/viewing-sessions/{session_id}/events",
        methods: &["POST"],
        limited: true,
        handler: || web::route().to(report_viewing_events::report_viewing_events),
    },
    Endpoint {
        path: "/v1/genres",
        methods: READ,
        limited: true,
        handler: || web::route().to(list_genres::list_genres),
    },
    Endpoint {
        path: "/v1/events",
        methods: READ,
        limited: true,
        handler: || web::route().to(read_events::read_events),
    },
    // Not limited: who gives a quota back may have none left.
    Endpoint {
        path: "/v1/rate-limits/{scope}/{bucket_key}",
        methods: &["GET", "HEAD", "DELETE"],
        limited: false,
        handler: || web::route().to(rate_limit_bucket::rate_limit_bucket),
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
    // The scope, not each resource: what is not found there is counted as well.
    // A preflight is answered before it is counted.
    let mut scope =
        web::scope(VERSION).wrap(from_fn(rate_limit::enforce)).wrap(cors::cors(origins));
    for endpoints in ENDPOINTS.chunk_by(|one, next| one.path == next.path) {
        let [Endpoint { path, limited, .. }, ..] = *endpoints else { continue };
        if limited {
            let path = path.strip_prefix(VERSION).unwrap_or(path);
            scope = scope.service(resource(path, endpoints));
        } else {
            config.service(resource(path, endpoints));
        }
    }
    config.service(scope);
}

/// All of one address. It says which methods it takes.
fn resource(path: &str, endpoints: &'static [Endpoint]) -> Resource {
    let resource = endpoints.iter().fold(web::resource(path), |resource, endpoint| {
        let taken = fn_guard(|context| endpoint.methods.contains(&context.head().method.as_str()));
        resource.route((endpoint.handler)().guard(taken))
    });
    resource.default_service(web::to(move || async move {
        Err::<HttpResponse, _>(refuse_method(endpoints))
    }))
}

fn refuse_method(endpoints: &[Endpoint]) -> Problem {
    let methods: Vec<&str> =
        endpoints.iter().flat_map(|endpoint| endpoint.methods).copied().collect();
    let methods = methods.join(", ");
    let problem = Problem::new(ProblemCode::MethodNotAllowed, format!("send {methods}"));
    match HeaderValue::try_from(methods) {
        Ok(methods) => problem.with_header(ALLOW, methods),
        Err(cause) => Problem::internal(cause),
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

/// What reads of the catalog need.
#[derive(Debug)]
pub struct Reads {
    pub catalog: Arc<Catalog>,
    pub pages: PageCache,
    pub freshness: Freshness,
    pub patience: Patience,
    pub cursors: CursorKey,
}

impl Reads {
    /// The catalog, as new as the request wants it; 503 until it has been read for the first time.
    async fn snapshot(&self, request: &HttpRequest) -> Result<Arc<Snapshot>, Problem> {
        consistency::wait(request, &self.catalog, self.patience).await?;
        self.catalog.snapshot().as_ref().map(Arc::clone).ok_or_else(not_read_yet)
    }
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
