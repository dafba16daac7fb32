//! Bodies that are no JSON, or do not say that they are, or are too long.

use marquee_tests::{Marquee, samples};
use serde_json::json;

use super::with;

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
