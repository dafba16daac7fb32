//! Fields of bodies: every one that is not valid is named, all at once.

use marquee_tests::{Marquee, samples};
use serde_json::{Value, json};

use super::with;

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
#[expect(clippy::too_many_lines, reason = "it is a table")]
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
