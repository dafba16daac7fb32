//! Whatever is wrong with a request, the answer is a problem that says what, with all the fields at once, and never 5xx.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use marquee_tests::{
    Answer, Marquee,
    client::{Api, Request},
    jwt, samples,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A valid body with one field replaced.
fn with(field: &str, value: Value) -> Value {
    let mut body = samples::movie(&samples::title("Bad"));
    body[field] = value;
    body
}

fn without(fields: &[&str]) -> Value {
    let mut body = samples::movie(&samples::title("Bad"));
    for field in fields {
        body.as_object_mut().expect("an object").remove(*field);
    }
    body
}

fn with_source(source: &Value) -> Value {
    with("stream_sources", json!([source]))
}

/// A body, and the fields that its answer must name, sorted.
fn invalid_bodies(media: &str) -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let source = samples::stream_source(media);
    let changed = |field: &str, value: Value| {
        let mut source = source.clone();
        source[field] = value;
        source
    };
    let now = marquee_infra::clock::now();
    let at = |days: i64| json!(samples::timestamp(now + chrono::TimeDelta::days(days)));
    let mut swapped = with("availability_start", at(30));
    swapped["availability_end"] = at(20);
    let mut everything = with("title", json!(""));
    everything["synopsis"] = json!(7);
    everything["genres"] = json!([]);
    everything["duration_minutes"] = json!(0);
    everything["availability_start"] = json!("tomorrow");
    everything["poster_url"] = json!("http://images.example/p.svg");
    everything["visibility"] = json!("SECRET");
    everything["stream_sources"] = json!([{ "stream_url": "https://cdn.example/a.mp4" }]);
    everything["caption_tracks"] = json!([{ "language_code": "english", "format": "SRT" }]);
    everything["colour"] = json!("red");

    vec![
        ("a number", json!(7), vec![""]),
        ("a list", json!([]), vec![""]),
        ("null", Value::Null, vec![""]),
        ("a string", json!("movie"), vec![""]),
        (
            "an empty object",
            json!({}),
            vec![
                "/availability_end",
                "/availability_start",
                "/duration_minutes",
                "/genres",
                "/poster_url",
                "/synopsis",
                "/title",
            ],
        ),
        ("an unknown field", with("director", json!("Lang")), vec!["/director"]),
        ("an unknown field to escape", with("a/b~c", json!(1)), vec!["/a~1b~0c"]),
        ("two fields missing", without(&["title", "genres"]), vec!["/genres", "/title"]),
        ("a title that is a number", with("title", json!(2012)), vec!["/title"]),
        ("a title that is null", with("title", Value::Null), vec!["/title"]),
        ("an empty title", with("title", json!("")), vec!["/title"]),
        ("a title of spaces", with("title", json!(" \t ")), vec!["/title"]),
        ("an invisible title", with("title", json!("\u{200B}\u{200D}")), vec!["/title"]),
        ("a title of 10,000 characters", with("title", json!("x".repeat(10_000))), vec!["/title"]),
        ("a title that expands", with("title", json!("\u{FDFA}".repeat(255))), vec!["/title"]),
        ("a title with NUL", with("title", json!("a\u{0}b")), vec!["/title"]),
        ("a synopsis with NUL", with("synopsis", json!("a\u{0}b")), vec!["/synopsis"]),
        ("no genre", with("genres", json!([])), vec!["/genres"]),
        ("genres that are text", with("genres", json!("Drama")), vec!["/genres"]),
        ("a genre that is a number", with("genres", json!(["Drama", 7])), vec!["/genres/1"]),
        ("an empty genre", with("genres", json!([""])), vec!["/genres"]),
        ("zero minutes", with("duration_minutes", json!(0)), vec!["/duration_minutes"]),
        ("negative minutes", with("duration_minutes", json!(-5)), vec!["/duration_minutes"]),
        ("half a minute", with("duration_minutes", json!(0.5)), vec!["/duration_minutes"]),
        ("minutes in words", with("duration_minutes", json!("90")), vec!["/duration_minutes"]),
        ("endless minutes", with("duration_minutes", json!(u64::MAX)), vec!["/duration_minutes"]),
        ("an end before the start", swapped, vec!["/availability_end"]),
        ("a start in the past", with("availability_start", at(-1)), vec!["/availability_start"]),
        (
            "no time zone",
            with("availability_start", json!("2099-01-01T00:00:00")),
            vec!["/availability_start"],
        ),
        (
            "no such day",
            with("availability_end", json!("2099-02-30T00:00:00Z")),
            vec!["/availability_end"],
        ),
        (
            "an http poster",
            with("poster_url", json!("http://images.example/p.svg")),
            vec!["/poster_url"],
        ),
        ("no URL", with("poster_url", json!("poster")), vec!["/poster_url"]),
        ("an unknown visibility", with("visibility", json!("visible")), vec!["/visibility"]),
        (
            "a source over http",
            with_source(&changed("stream_url", json!("http://a.example/a.m3u8"))),
            vec!["/stream_sources/0/stream_url"],
        ),
        (
            "an mp4 source",
            with_source(&changed("stream_url", json!("https://a.example/a.mp4"))),
            vec!["/stream_sources/0/stream_url"],
        ),
        (
            "a source with a password",
            with_source(&changed("stream_url", json!("https://u:p@a.example/a.m3u8"))),
            vec!["/stream_sources/0/stream_url"],
        ),
        (
            "drm_required in words",
            with_source(&changed("drm_required", json!("no"))),
            vec!["/stream_sources/0/drm_required"],
        ),
        (
            "a source that is text",
            with("stream_sources", json!(["https://a.example/a.m3u8"])),
            vec!["/stream_sources/0"],
        ),
        (
            "sources that are an object",
            with("stream_sources", source.clone()),
            vec!["/stream_sources"],
        ),
        (
            "everything wrong at once",
            everything,
            vec![
                "/availability_start",
                "/caption_tracks/0/caption_url",
                "/caption_tracks/0/format",
                "/caption_tracks/0/language_code",
                "/colour",
                "/duration_minutes",
                "/genres",
                "/poster_url",
                "/stream_sources/0/drm_required",
                "/stream_sources/0/stream_url",
                "/synopsis",
                "/title",
                "/visibility",
            ],
        ),
    ]
}

#[tokio::test]
async fn every_invalid_field_of_a_body_is_named_at_once() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    for (what, body, fields) in invalid_bodies(&marquee.media()) {
        let answer = commands.post("/v1/movies").json(&body).send().await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.pointers(), fields, "{what}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_are_told_why() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let post = |content_type: &str, body: &[u8]| {
        commands.post("/v1/movies").body(content_type, body).send()
    };
    let json = "application/json";
    for malformed in [
        &b""[..],
        b"{",
        b"{\"title\": }",
        b"{\"title\": \"x\"} extra",
        b"{'title': 'x'}",
        b"\x00",
        b"{\"title\": \"\xFF\xFE\"}",
        b"{\"title\": \"\\uD800\"}",
        b"{\"duration_minutes\": 1e999}",
        b"[[[[[[",
    ] {
        post(json, malformed).await.problem(400, "malformed_json");
    }
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    post(json, &deep).await.problem(400, "malformed_json");
    let body = samples::movie(&samples::title("Bad")).to_string();
    for wrong in ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""] {
        post(wrong, body.as_bytes()).await.problem(415, "unsupported_media_type");
    }
    let long = with("synopsis", json!("x".repeat(300 * 1024))).to_string();
    post(json, long.as_bytes()).await.problem(413, "payload_too_large");
}

/// All the ways not to be let in; the body would be all right.
#[tokio::test]
async fn who_is_not_allowed_to_is_told_so() {
    let marquee = Marquee::shared().await;
    let body = samples::movie(&samples::title("Forbidden"));
    let commands = marquee.commands();
    let post = |api: Api| async move { api.post("/v1/movies") };
    let claims = jwt::claims(jwt::ADMIN, "catalog:write");
    let changed = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        claims
    };
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let unsigned = |alg: &str| {
        format!("{}.{}.", encode(&json!({ "alg": alg, "typ": "JWT" })), encode(&claims))
    };
    let good = jwt::signed(&claims);
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let swapped = format!(
        "{}.{}.{signature}",
        head.split('.').next().unwrap_or_default(),
        encode(&changed("scope", json!("catalog:write ops:read")))
    );

    for token in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        unsigned("none"),
        unsigned("None"),
        unsigned("HS256"),
        swapped,
        head.to_owned(),
        jwt::signed_with(&claims, "another secret, also of more than 32 bytes"),
        jwt::signed(&changed("exp", json!(1_000_000_000))),
        jwt::signed(&changed("exp", Value::Null)),
        jwt::signed(&changed("nbf", json!(99_999_999_999_u64))),
        jwt::signed(&changed("sub", json!("root"))),
    ] {
        let answer = post(commands.as_bearer(&token)).await.json(&body).send().await;
        answer.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
    }
    post(commands.anonymous()).await.json(&body).send().await.problem(401, "unauthenticated");
    let basic = post(commands.anonymous()).await.header("Authorization", "Basic YTpi");
    basic.json(&body).send().await.problem(401, "unauthenticated");
    for scope in ["", "catalog:read", "catalog:writer", "CATALOG:WRITE"] {
        let answer =
            post(commands.as_bearer(jwt::with_scope(scope))).await.json(&body).send().await;
        answer.problem(403, "insufficient_scope");
    }
    let _ = post(commands.as_bearer(good)).await.json(&body).send().await.expect(201);
}

#[tokio::test]
async fn bad_headers_parameters_paths_and_methods_are_told_so() {
    let marquee = Marquee::shared().await;
    let commands = marquee.commands();
    let movie = marquee.admin().create_hidden("Addressed").await;
    let path = format!("/v1/movies/{}", movie.id);
    let revision = json!({ "duration_minutes": 2 });
    let body = samples::movie(&samples::title("Bad"));
    let create = || commands.post("/v1/movies").json(&body);
    let revise = |path: &str| commands.patch(path).json(&revision);
    let unknown = "/v1/movies/0198a000-0000-7000-8000-00000000dead";

    let invalid =
        |request: Request| async move { request.send().await.problem(400, "invalid_request") };
    for key in ["", "a".repeat(256).as_str(), "caf\u{e9}"] {
        invalid(create().idempotency_key(key)).await;
    }
    for tag in ["3", "\"3", "three", ""] {
        invalid(revise(&path).header("If-Match", tag)).await;
    }
    for tag in ["\"7\"", "W/\"1\"", "\"x\"", "\"18446744073709551616\""] {
        let answer = revise(&path).header("If-Match", tag).send().await;
        answer.problem(412, "precondition_failed");
    }
    for query in ["dry_run=maybe", "colour=red", "dry_run=true&x=1"] {
        invalid(commands.post(&format!("/v1/movies?{query}")).json(&body)).await;
    }
    for missing in [unknown, "/v1/movies/not-a-uuid", "/v1/movies/%00", "/v1/movies/%ff"] {
        revise(missing).send().await.problem(404, "movie_not_found");
    }
    let parts = [
        (Method::POST, format!("{unknown}/stream-sources"), "movie_not_found"),
        (Method::DELETE, format!("{path}/stream-sources/{}", movie.id), "stream_source_not_found"),
        (Method::DELETE, format!("{path}/stream-sources/x"), "stream_source_not_found"),
        (Method::DELETE, format!("{path}/caption-tracks/{}", movie.id), "caption_track_not_found"),
        (Method::DELETE, unknown.to_owned(), "movie_not_found"),
    ];
    for (method, path, code) in parts {
        let source = samples::stream_source(&marquee.media());
        commands.request(method, &path).json(&source).send().await.problem(404, code);
    }
    for path in ["/", "/v1", "/v2/movies", "/v1/movie", "/v1/movies/", "/admin", "/v1/movies/x/y/z"]
    {
        commands.get(path).send().await.problem(404, "not_found");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::TRACE] {
        commands.request(method, "/v1/movies").send().await.problem(405, "method_not_allowed");
    }
    let not_yet =
        commands.put(&format!("{path}/visibility")).json(&json!({ "visibility": "VISIBLE" }));
    not_yet.send().await.problem(409, "not_showable");
}

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
