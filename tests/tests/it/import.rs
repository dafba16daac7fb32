//! Many movies in one request: `POST /v1/movies/import`.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use marquee_tests::{
    Marquee,
    admin::consistency_token,
    import::{self, begin, import},
    jwt, samples,
    servers::servers,
    until,
    wait::in_time,
};
use serde_json::{Value, json};

/// More than a line may have.
const TOO_LONG_BYTES: usize = 300_000;

/// A line of an import, and how it has to end.
struct Line {
    bytes: Vec<u8>,
    /// The status and code, "" for an accepted one; none when the line is not to be answered.
    ending: Option<(u16, &'static str)>,
    pointers: &'static [&'static str],
}

fn line(bytes: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Line {
    Line { bytes: bytes.into(), ending: Some((status, code)), pointers: &[] }
}

fn accepted(movie: &Value) -> Line {
    line(movie.to_string(), 201, "")
}

fn invalid(movie: &Value, pointers: &'static [&'static str]) -> Line {
    Line { pointers, ..line(movie.to_string(), 422, "validation_failed") }
}

fn blank(bytes: &str) -> Line {
    Line { bytes: bytes.into(), ending: None, pointers: &[] }
}

fn film(name: &str) -> Value {
    samples::movie(&samples::title(name))
}

fn with(mut movie: Value, field: &str, value: Value) -> Value {
    movie[field] = value;
    movie
}

fn with_key(movie: Value, key: &str) -> Value {
    with(movie, "idempotency_key", json!(key))
}

/// A movie of `taken` exists, and `used_key` has been used.
fn good_and_bad_lines(taken: &str, used_key: &str) -> Vec<Line> {
    let long = "x".repeat(TOO_LONG_BYTES);
    // Available tomorrow, all of them, so that nothing changes when they are sent again.
    vec![
        accepted(&film("First")),
        blank(""),
        line(r#"{"title":"#, 400, "malformed_json"),
        accepted(&with_key(film("Keyed"), &format!("own-{}", samples::tag()))),
        line(with(film("Long"), "synopsis", json!(long)).to_string(), 413, "payload_too_large"),
        line(b"{\"title\":\"\xff\xfe\"}", 400, "malformed_json"),
        invalid(&with(film("Number"), "title", json!(1408)), &["/title"]),
        blank(" \t "),
        invalid(
            &json!({}),
            &[
                "/availability_end",
                "/availability_start",
                "/duration_minutes",
                "/genres",
                "/poster_url",
                "/synopsis",
                "/title",
            ],
        ),
        line(samples::movie(&taken.to_uppercase()).to_string(), 409, "title_taken"),
        invalid(&with(film("Unknown"), "stars", json!(5)), &["/stars"]),
        line(with(film("Key"), "idempotency_key", json!(5)).to_string(), 400, "invalid_request"),
        line(with_key(film("Key"), "").to_string(), 400, "invalid_request"),
        line(with_key(film("Other"), used_key).to_string(), 422, "idempotency_key_reused"),
        invalid(&json!([]), &[""]),
        line("[".repeat(1_000), 400, "malformed_json"),
        accepted(&playable("Playable")),
        Line {
            pointers: &["/stream_sources/0/stream_url"],
            ..line(no_such_stream().to_string(), 422, "stream_unusable")
        },
        line(format!("{}\r", film("Carriage return")), 201, ""),
        accepted(&film("Last, without an end")),
    ]
}

fn playable(name: &str) -> Value {
    let edge = &servers().edge_url;
    let movie = with(film(name), "stream_sources", json!([samples::stream_source(edge)]));
    with(movie, "caption_tracks", json!([samples::english_captions(edge)]))
}

fn no_such_stream() -> Value {
    let mut movie = playable("Gone");
    movie["stream_sources"][0]["stream_url"] =
        json!(format!("{}/media/no-such/master.m3u8", servers().edge_url));
    movie
}

fn body(lines: &[Line]) -> Vec<u8> {
    lines.iter().map(|line| line.bytes.as_slice()).collect::<Vec<_>>().join(&b'\n')
}

/// Every line that is not blank is answered, in order, as it has to be.
fn check(lines: &[Line], results: &[Value]) {
    let answered = lines.iter().zip(1_u64..).filter_map(|(line, number)| {
        line.ending.map(|(status, code)| (number, status, code, line.pointers))
    });
    let answered: Vec<_> = answered.collect();
    assert_eq!(answered.len(), results.len(), "{results:#?}");
    for ((number, status, code, pointers), result) in answered.into_iter().zip(results) {
        assert_eq!(
            (&result["line"], &result["status"]),
            (&json!(number), &json!(status)),
            "{result}"
        );
        assert_eq!(result["code"].as_str().unwrap_or_default(), code, "{result}");
        assert_eq!(named_pointers(result), pointers, "{result}");
        if status != 201 {
            assert_eq!(result["type"], json!(format!("/errors/{code}")), "{result}");
            for member in ["title", "detail", "request_id"] {
                let is_there = result[member].as_str().is_some_and(|text| !text.is_empty());
                assert!(is_there, "{member}: {result}");
            }
        }
    }
}

fn named_pointers(result: &Value) -> Vec<&str> {
    let errors = result["errors"].as_array().into_iter().flatten();
    let mut pointers: Vec<&str> = errors.filter_map(|error| error["pointer"].as_str()).collect();
    pointers.sort_unstable();
    pointers
}

#[tokio::test]
async fn one_bad_line_never_stops_the_rest_and_the_same_sent_again_changes_nothing() {
    let marquee = Marquee::start().await;
    let (url, token) = (marquee.command_api.url(), jwt::admin());
    let holder = marquee.admin().create_hidden("Taken").await;
    let used_key = samples::tag();
    let first_use = with_key(film("First use"), &used_key).to_string();
    check(&[line(first_use.clone(), 201, "")], &import(&url, &token, None, first_use.into()).await);

    let lines = good_and_bad_lines(&holder.title, &used_key);
    let results = import(&url, &token, Some("whole-import"), body(&lines)).await;
    check(&lines, &results);
    let malformed = &results[1]["detail"];
    assert_eq!(*malformed, json!("column 9: EOF while parsing a value"), "of line 3 of the import");
    let refused = results.iter().find(|result| result["code"] == "title_taken").expect("checked");
    assert_eq!(refused["movie_id"], json!(holder.id), "{refused}");

    let head = marquee.database.head().await;
    let again = import(&url, &token, Some("whole-import"), body(&lines)).await;
    assert_eq!(again.len(), results.len());
    for (mut before, mut after) in results.into_iter().zip(again) {
        if before["status"] == 201 {
            before["replayed"] = json!(true);
        } else {
            // Which request it was is all that differs.
            before["request_id"] = Value::Null;
            after["request_id"] = Value::Null;
        }
        assert_eq!(after, before);
    }
    assert_eq!(marquee.database.head().await, head, "nothing was appended");
}

#[tokio::test]
async fn a_line_is_answered_before_the_next_one_is_sent() {
    let marquee = Marquee::shared().await;
    let (mut sending, mut results) = begin(&marquee.command_api.url(), &jwt::admin(), None).await;
    for number in 1..=3 {
        // In two pieces: chunks need not be lines.
        let line = format!("{}\n", film("Streamed"));
        let (start, end) = line.split_at(20);
        assert!(sending.send(start).await && sending.send(end).await);
        let result = in_time("the answer", results.next()).await.expect("the import goes on");
        assert_eq!((&result["line"], &result["status"]), (&json!(number), &json!(201)), "{result}");
    }
    drop(sending);
    assert_eq!(in_time("the end", results.next()).await, None);
}

#[tokio::test]
async fn an_import_that_broke_off_is_sent_again_and_leads_to_one_movie_for_each_key() {
    const LINES: usize = 300;
    const SENT: usize = 150;
    const READ: usize = 20;
    let marquee = Marquee::start().await;
    let (url, token) = (marquee.command_api.url(), jwt::admin());
    let line = |number| with_key(film("Broken off"), &format!("line-{number}")).to_string() + "\n";
    let lines: Vec<String> = (1..=LINES).map(line).collect();

    let (mut sending, mut results) = begin(&url, &token, None).await;
    let (half, _) = lines[SENT].split_at(50);
    assert!(sending.send(lines[..SENT].concat() + half).await);
    let mut told = Vec::new();
    for _ in 0..READ {
        told.push(in_time("an answer", results.next()).await.expect("there are more"));
    }
    drop(results);
    // As long as the connection lives, the end of `sending` would be a proper end of the body.
    in_time("the connection's end", async { while sending.send(" ").await {} }).await;
    drop(sending);

    let again = import(&url, &token, None, lines.concat().into_bytes()).await;
    assert_eq!(again.len(), LINES);
    for (mut before, after) in told.into_iter().zip(&again) {
        before["replayed"] = json!(true);
        assert_eq!(*after, before);
    }
    assert!(again.iter().all(|result| result["status"] == 201), "{again:#?}");
    assert!(again[SENT]["replayed"].is_null(), "half a line is no line: {}", again[SENT]);
    // Once more, now that nothing of the first is under way: all of it is there, and once.
    let head = marquee.database.head().await;
    assert_eq!(head, LINES as u64);
    let third = import(&url, &token, None, lines.concat().into_bytes()).await;
    assert!(third.iter().all(|result| result["replayed"] == true), "{third:#?}");
    assert_eq!(marquee.database.head().await, head);
}

#[tokio::test]
async fn a_dry_run_says_what_would_come_and_appends_nothing() {
    let marquee = Marquee::shared().await;
    let title = samples::title("Dry");
    let body = format!("{}\n{}\n", samples::movie(&title), json!({ "title": title }));
    let path = "/v1/movies/import?dry_run=true";
    let request = marquee.commands().post(path).body("application/x-ndjson", body);
    let text = request.send().await.expect(200).text();
    let results: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a result is JSON")).collect();
    assert_eq!(results[0], json!({ "line": 1, "status": 200, "dry_run": true, "events": 1 }));
    assert_eq!(results[1]["code"], json!("validation_failed"));
    assert_eq!(results.len(), 2);
    // The title is free still.
    let created = marquee.commands().post("/v1/movies").json(&samples::movie(&title)).send().await;
    let _ = consistency_token(&created.expect(201));
}

#[tokio::test]
async fn an_import_that_is_not_one_is_refused_as_a_whole() {
    const NDJSON: &str = "application/x-ndjson";
    let marquee = Marquee::shared().await;
    let api = marquee.commands();
    let send = |api: &marquee_tests::Api, content_type: &str| {
        api.post("/v1/movies/import").body(content_type, format!("{}\n", film("Refused")))
    };
    let answer = send(&api, "application/json").send().await;
    answer.problem(415, "unsupported_media_type");
    let answer = send(&api, NDJSON).header("If-Match", "\"1\"").send().await;
    answer.problem(400, "invalid_request");
    send(&api.anonymous(), NDJSON).send().await.problem(401, "unauthenticated");
    let reader = api.as_bearer(jwt::with_scope("catalog:read"));
    send(&reader, NDJSON).send().await.problem(403, "insufficient_scope");
    let empty = api.post("/v1/movies/import").body(NDJSON, "\n\n").send().await.expect(200);
    assert_eq!(empty.text(), "");
}

/// Sends lines as fast as they are taken, counting those that are.
async fn send_all(
    mut sending: import::Sending,
    line: String,
    lines: usize,
    sent: Arc<AtomicUsize>,
) {
    const AT_ONCE: usize = 10;
    let piece = line.repeat(AT_ONCE);
    for _ in 0..lines / AT_ONCE {
        assert!(sending.send(piece.as_bytes()).await, "the connection has ended");
        sent.fetch_add(AT_ONCE, Ordering::SeqCst);
    }
}

/// A line of `/proc/PID/status`, in KiB.
fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("Linux says it");
    let number = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{line}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_takes_bounded_memory_and_waits_for_a_slow_reader() {
    const LINES: usize = 50_000;
    const LINE_BYTES: usize = 2_000;
    /// Half of what is sent, and less than half of what is answered.
    const MAX_GROWTH_KIB: u64 = 50_000;
    /// So many looks in a row without progress count as standing still.
    const LOOKS: usize = 50;
    let marquee = Marquee::prepare(marquee_tests::Setup::default()).await;
    marquee.command_api.start_ready().await;
    let pid = marquee.command_api.pid();
    let before = memory_kib(pid, "VmRSS:");
    // The answer names the unknown field, so that it is as long as the line.
    let line = format!("{{\"{}\":1}}\n", "x".repeat(LINE_BYTES));
    let sent = Arc::new(AtomicUsize::new(0));
    let (sending, mut results) = begin(&marquee.command_api.url(), &jwt::admin(), None).await;
    let sender = tokio::spawn(send_all(sending, line, LINES, Arc::clone(&sent)));

    // Nobody reads.
    let (last, looks) = (Cell::new(0), Cell::new(0));
    until("the server takes no more", async || {
        let now = sent.load(Ordering::SeqCst);
        looks.set(if last.replace(now) == now { looks.get() + 1 } else { 0 });
        (looks.get() == LOOKS).then_some(())
    })
    .await;
    assert!(last.get() < LINES, "the whole import was taken, though nobody read an answer");

    let mut number = 0;
    while let Some(result) = in_time("an answer", results.next()).await {
        number += 1;
        assert_eq!(result["line"], json!(number));
        assert_eq!(result["code"], json!("validation_failed"));
    }
    assert_eq!(number, LINES);
    sender.await.expect("all was sent");
    let peak = memory_kib(pid, "VmHWM:");
    assert!(peak < before + MAX_GROWTH_KIB, "{before} KiB before, {peak} KiB at most");
}
