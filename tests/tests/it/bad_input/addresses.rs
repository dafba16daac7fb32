//! Headers, parameters, paths and methods of the command API.

use marquee_tests::{Marquee, client::Request, samples};
use reqwest::Method;
use serde_json::json;

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
