//! Who may do what: every route, with every kind of caller.

use std::collections::BTreeSet;

use query_api::routes::ENDPOINTS;
use reqwest::Method;
use serde_json::json;

use crate::{
    bed::Bed,
    client::{Answer, bearer, bearer_until},
    life::{EDITOR, Life},
    sample::Sample,
    stream_tokens::token_of,
};

/// A route, a request to it, and what is answered to: nobody in particular; a token without the
/// scope; one with `catalog:read`; one with it that has expired; one that somebody else signed.
type Row = (&'static str, &'static str, &'static str, [u16; 5]);

const MOVIE: &str = "/v1/movies/{id_or_slug}";
const BUCKET: &str = "/v1/rate-limits/{scope}/{bucket_key}";
const HISTORY: &str = "/v1/movies/{id_or_slug}/history";

const SESSIONS: &str = "/v1/viewing-sessions";
const SESSION: &str = "/v1/viewing-sessions/{session_id}";
const SESSION_EVENTS: &str = "/v1/viewing-sessions/{session_id}/events";

const ALL: [Row; 39] = [
    ("GET", "/v1/movies", "/v1/movies", [200, 200, 200, 401, 401]),
    ("HEAD", "/v1/movies", "/v1/movies", [200, 200, 200, 401, 401]),
    ("GET", "/v1/movies", "/v1/movies?visibility=any", [401, 403, 200, 401, 401]),
    ("HEAD", "/v1/movies", "/v1/movies?visibility=any", [401, 403, 200, 401, 401]),
    ("GET", MOVIE, "/v1/movies/shown", [200, 200, 200, 401, 401]),
    ("HEAD", MOVIE, "/v1/movies/shown", [200, 200, 200, 401, 401]),
    // The scope alone shows nothing more: a URL has one meaning for everyone.
    ("GET", MOVIE, "/v1/movies/hidden", [404, 404, 404, 401, 401]),
    ("GET", MOVIE, "/v1/movies/hidden?visibility=any", [401, 403, 200, 401, 401]),
    ("HEAD", MOVIE, "/v1/movies/hidden?visibility=any", [401, 403, 200, 401, 401]),
    // Nor is it told whether there is something to be denied.
    ("GET", MOVIE, "/v1/movies/nothing?visibility=any", [401, 403, 404, 401, 401]),
    ("GET", MOVIE, "/v1/movies/hidden?as_of=2099-01-01T00:00:00Z", [401, 403, 200, 401, 401]),
    ("HEAD", MOVIE, "/v1/movies/hidden?as_of=2099-01-01T00:00:00Z", [401, 403, 200, 401, 401]),
    ("GET", MOVIE, "/v1/movies/hidden?as_of_version=1", [401, 403, 200, 401, 401]),
    ("GET", MOVIE, "/v1/movies/nothing?as_of_version=1", [401, 403, 404, 401, 401]),
    ("GET", HISTORY, "/v1/movies/hidden/history", [401, 403, 200, 401, 401]),
    ("HEAD", HISTORY, "/v1/movies/hidden/history", [401, 403, 200, 401, 401]),
    ("GET", HISTORY, "/v1/movies/nothing/history", [401, 403, 404, 401, 401]),
    ("GET", HISTORY, "/v1/movies/hidden/history?limit=x", [401, 403, 400, 401, 401]),
    (
        "POST",
        "/v1/movies/{movie_id}/stream-tokens",
        "/v1/movies/{shown}/stream-tokens",
        [201, 201, 201, 401, 401],
    ),
    // Not even an editor plays what is hidden.
    (
        "POST",
        "/v1/movies/{movie_id}/stream-tokens",
        "/v1/movies/{hidden}/stream-tokens",
        [404, 404, 404, 401, 401],
    ),
    ("GET", "/v1/genres", "/v1/genres", [200, 200, 200, 401, 401]),
    ("HEAD", "/v1/genres", "/v1/genres", [200, 200, 200, 401, 401]),
    // Not with `catalog:read`: what data teams get is more than editors.
    ("GET", "/v1/events", "/v1/events?limit=1", [401, 200, 403, 401, 401]),
    ("HEAD", "/v1/events", "/v1/events?limit=1", [401, 200, 403, 401, 401]),
    ("GET", "/v1/events", "/v1/events?limit=x", [401, 400, 403, 401, 401]),
    // The second caller has `ops:read`, too.
    ("GET", SESSIONS, "/v1/viewing-sessions", [401, 200, 403, 401, 401]),
    ("HEAD", SESSIONS, "/v1/viewing-sessions", [401, 200, 403, 401, 401]),
    // Anyone may begin one: what is sent here is nothing, and is told so.
    ("POST", SESSIONS, "/v1/viewing-sessions", [415, 415, 415, 401, 401]),
    // Nobody's session: to nobody in particular it is told what is needed.
    ("GET", SESSION, "/v1/viewing-sessions/{shown}", [401, 404, 404, 401, 401]),
    ("HEAD", SESSION, "/v1/viewing-sessions/{shown}", [401, 404, 404, 401, 401]),
    ("POST", SESSION_EVENTS, "/v1/viewing-sessions/{shown}/events", [415, 415, 415, 401, 401]),
    ("GET", BUCKET, "/v1/rate-limits/VIEWER_READ/192.0.2.1", [401, 200, 403, 401, 401]),
    ("HEAD", BUCKET, "/v1/rate-limits/VIEWER_READ/192.0.2.1", [401, 200, 403, 401, 401]),
    ("GET", BUCKET, "/v1/rate-limits/nothing/nobody", [401, 400, 403, 401, 401]),
    ("DELETE", BUCKET, "/v1/rate-limits/VIEWER_READ/192.0.2.1", [401, 204, 403, 401, 401]),
    ("DELETE", BUCKET, "/v1/rate-limits/nothing/nobody", [401, 400, 403, 401, 401]),
    // The stream token is all that counts here; it is sent with it.
    ("GET", "/v1/stream-tokens/verify", "/v1/stream-tokens/verify", [204, 204, 204, 204, 204]),
    // A tag that tells nothing.
    ("GET", "/v1/stream-tokens/validity", "/v1/stream-tokens/validity", [204, 204, 204, 204, 204]),
    // Whoever can reach the service may see that it lives.
    ("GET", "(every service's)", "/healthz", [200, 200, 200, 200, 200]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_caller_as_it_should() {
    let bed = Bed::new().await;
    bed.make_topics().await;
    let api = bed.start().await;
    let mut shown = Sample::with_id("Shown", Life::lived(&bed, "shown").await.movie_id);
    let mut hidden = Sample::with_id("Hidden", Life::lived(&bed, "hidden").await.movie_id);
    shown.slug = "shown".to_owned();
    hidden.slug = "hidden".to_owned();
    hidden.visibility = "HIDDEN";
    bed.put(&mut shown).await;
    bed.show(&api, &mut hidden).await;
    let issued = api.client.post(&shown.tokens_path(), &json!({}), &[]).await;
    let stream_token = token_of(&issued);

    let read = bearer(EDITOR, "catalog:read");
    let (signed, _) = read.rsplit_once('.').expect("a signature");
    let callers = [
        None,
        Some(bearer(EDITOR, "catalog:write events:read ops:read catalog:reader")),
        Some(read.clone()),
        Some(bearer_until(EDITOR, "catalog:read", -60)),
        Some(format!("{signed}.{}", "A".repeat(43))),
    ];
    let mut wrong = Vec::new();
    for (method, _, path, expected) in ALL {
        let path = path
            .replace("{shown}", &shown.movie_id.to_string())
            .replace("{hidden}", &hidden.movie_id.to_string());
        let mut statuses = Vec::new();
        for caller in &callers {
            let mut request = api
                .client
                .request(Method::from_bytes(method.as_bytes()).unwrap(), &path)
                .header("X-Stream-Token", &stream_token)
                .header("X-Original-Path", shown.playlist_path());
            if let Some(caller) = caller {
                request = request.header("Authorization", caller);
            }
            let answer = Answer::of(request).await;
            if [401, 403].contains(&answer.status) {
                let challenge = answer.header("www-authenticate");
                assert!(challenge.starts_with("Bearer realm="), "{method} {path}: {answer:?}");
            }
            statuses.push(answer.status);
        }
        if statuses != expected {
            wrong.push(format!("{method} {path}: {statuses:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_route_is_missing_from_the_table() {
    let served: BTreeSet<(&str, &str)> = ENDPOINTS
        .iter()
        .flat_map(|endpoint| endpoint.methods.iter().map(|method| (*method, endpoint.path)))
        .collect();
    let tested: BTreeSet<(&str, &str)> = ALL
        .iter()
        .filter(|(_, route, ..)| route.starts_with('/'))
        .map(|(method, route, ..)| (*method, *route))
        .collect();
    assert_eq!(tested, served);
}
