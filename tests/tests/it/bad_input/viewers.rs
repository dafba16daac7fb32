//! What viewers get wrong.

use marquee_tests::{Answer, Marquee, jwt};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn viewers_mistakes_are_told_so() {
    let marquee = Marquee::shared().await;
    let queries = marquee.queries();
    for (query, fields) in [
        ("limit=0", vec!["limit"]),
        ("limit=101", vec!["limit"]),
        ("limit=many", vec!["limit"]),
        ("limit=-1&sort=colour", vec!["limit", "sort"]),
        ("limit=1&limit=2", vec!["limit"]),
        ("language=english", vec!["language"]),
        ("genre=", vec!["genre"]),
        ("cursor=garbage", vec!["cursor"]),
        ("visibility=all", vec!["visibility"]),
        ("q=", vec!["q"]),
        ("colour=red&taste=sweet", vec!["colour", "taste"]),
    ] {
        let answer = queries.get(&format!("/v1/movies?{query}")).send().await;
        answer.problem(400, "invalid_request");
        assert_eq!(answer.pointers(), fields, "{query}");
    }
    for query in ["q=%00", "q=%ff%fe", "%00=1", "q=%", "&&&=", "limit=%31"] {
        assert_refused_or_served(&queries.get(&format!("/v1/movies?{query}")).send().await);
    }
    queries.get("/v1/movies?visibility=any").send().await.problem(401, "unauthenticated");
    let nobody = queries.as_bearer(jwt::with_scope("events:read"));
    nobody.get("/v1/movies?visibility=any").send().await.problem(403, "insufficient_scope");
    queries.as_bearer("garbage").get("/v1/movies").send().await.problem(401, "unauthenticated");

    for id in [
        "0198a000-0000-7000-8000-00000000dead",
        "no-such-slug",
        "%00",
        "..%2f..%2fetc",
        "%f0%9f%8e%ac",
    ] {
        queries.get(&format!("/v1/movies/{id}")).send().await.problem(404, "movie_not_found");
        let tokens = queries.post(&format!("/v1/movies/{id}/stream-tokens"));
        tokens.json(&json!({ "session_id": "s" })).send().await.problem(404, "movie_not_found");
    }
    let bad_token = queries.get("/v1/movies").header("Consistency-Token", "nonsense");
    bad_token.send().await.problem(400, "invalid_request");
    let tokens = || queries.post("/v1/movies/0198a000-0000-7000-8000-00000000dead/stream-tokens");
    for (session, fields) in [
        (json!({ "session_id": 7 }), vec!["/session_id"]),
        (json!({ "session_id": "" }), vec!["/session_id"]),
        (json!({ "session_id": "a b" }), vec!["/session_id"]),
        (json!({ "session_id": "x".repeat(1_000), "id": 1 }), vec!["/id", "/session_id"]),
        (json!([]), vec![""]),
    ] {
        let answer = tokens().json(&session).send().await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.pointers(), fields);
    }
    tokens().body("application/json", "{").send().await.problem(400, "malformed_json");
    tokens().body("text/plain", "{}").send().await.problem(415, "unsupported_media_type");
    for path in ["/", "/v1", "/v1/films", "/v1/movies/a/b"] {
        queries.get(path).send().await.problem(404, "not_found");
    }
    for (method, path) in [
        (Method::POST, "/v1/movies"),
        (Method::DELETE, "/v1/genres"),
        (Method::GET, "/v1/movies/x/stream-tokens"),
    ] {
        queries.request(method, path).send().await.problem(405, "method_not_allowed");
    }
}

#[track_caller]
fn assert_refused_or_served(answer: &Answer) {
    assert!((200..500).contains(&answer.status), "{answer:?}");
    if answer.status >= 400 {
        answer.whole_problem();
    }
}
