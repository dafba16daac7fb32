//! Which web pages may use the API from a browser (CORS).
//!
//! A viewer is known by an `Authorization` header, which a page has to set itself, and never by a
//! cookie: so another page gains nothing that it could not ask for from its own server.

use actix_cors::Cors;
use actix_web::http::{
    Method,
    header::{self, HeaderName},
};

const ANY: &str = "*";
/// How long a browser remembers what a preflight told it, in seconds.
const MAX_AGE_SECONDS: usize = 3600;

/// What a page may send.
const REQUEST_HEADERS: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_NONE_MATCH,
    HeaderName::from_static("anonymous-id"),
    HeaderName::from_static("consistency-token"),
    HeaderName::from_static("viewing-session"),
    HeaderName::from_static("x-request-id"),
];

/// What it may read. `Date`, because a viewer's clock may be wrong and a token's times are the server's.
const RESPONSE_HEADERS: [HeaderName; 8] = [
    header::DATE,
    header::ETAG,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-request-id"),
];

/// `origins` as in the settings. A request of another origin is answered as ever; its browser keeps the
/// answer from the page.
pub(super) fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST])
        .allowed_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS)
        .max_age(MAX_AGE_SECONDS)
        .block_on_origin_mismatch(false);
    if origins.iter().any(|origin| origin == ANY) {
        // The same for everybody: caches need not tell origins apart.
        return cors.allow_any_origin().send_wildcard().disable_vary_header();
    }
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Whether a setting is `*`, or an origin as browsers write it.
pub fn is_origin(text: &str) -> bool {
    text == ANY
        || url::Url::parse(text)
            .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == text)
}
