//! What is there, to its end.

use std::fmt::Write as _;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Feed, lines, positions, read};
use crate::{
    bed::{Bed, Running, until},
    client::bearer,
    life::EDITOR,
    log::Log,
};

/// Whether a filter wants an event.
type Wanted<'a> = dyn Fn(&Value) -> bool + 'a;

/// Of five movies: 10 created, 7 shown, 6 hidden, in pages of four.
async fn with_log() -> (Bed, Running, Log) {
    let mut bed = Bed::new().await;
    bed.settings.feed.page_events = 4;
    let mut log = Log::with_movies(5);
    for (name, count) in [("MovieCreated", 10), ("MovieShown", 7), ("MovieHidden", 6)] {
        log.append(&bed, name, count).await;
    }
    let api = bed.start().await;
    (bed, api, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_in_order_as_cloud_events() {
    let (_bed, api, log) = with_log().await;
    let answer = read(&api, "").await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("marquee-log-head"), "23");
    let mut events = lines(&answer);
    assert_eq!(positions(&events), (1..=23).collect::<Vec<_>>());

    let event = &mut events[11];
    let time = event["time"].take();
    let time = time.as_str().expect("text");
    assert!(DateTime::parse_from_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
    let (movie_id, _) = log.movies[12 % 5];
    assert_eq!(
        *event,
        json!({
            "specversion": "1.0",
            "id": format!("{movie_id}/3"),
            "type": "marquee.movie.MovieShown.v1",
            "source": "/marquee/command-api",
            "subject": movie_id.to_string(),
            "time": null,
            "datacontenttype": "application/json",
            "position": 12,
            "sequence": 3,
            "actor": EDITOR,
            "command": "Test",
            "requestid": "r-1",
            "data": { "type": "MovieShown", "n": 12, "padding": "" },
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_gives_from_every_position_what_is_left() {
    let (_bed, api, log) = with_log().await;
    let everything = lines(&read(&api, "").await);
    let (movie, _) = log.movies[2];
    let of = |event: &Value, name: &str| event["type"] == format!("marquee.movie.{name}.v1");
    let of_movie = |event: &Value| event["subject"] == movie.to_string();
    let filters: [(String, &Wanted<'_>); 7] = [
        (String::new(), &|_| true),
        ("&types=MovieShown".to_owned(), &|event| of(event, "MovieShown")),
        ("&types=marquee.movie.MovieHidden.v1,MovieCreated".to_owned(), &|event| {
            of(event, "MovieHidden") || of(event, "MovieCreated")
        }),
        ("&types=MovieRemoved".to_owned(), &|_| false),
        (format!("&movie_id={movie}"), &of_movie),
        (format!("&movie_id={movie}&types=MovieShown,MovieHidden"), &|event| {
            of_movie(event) && !of(event, "MovieCreated")
        }),
        ("&movie_id=0197d2a5-0000-7000-8000-00000000dead".to_owned(), &|_| false),
    ];
    for (filter, wanted) in filters {
        for after in 0..=24 {
            let expected: Vec<&Value> = everything
                .iter()
                .filter(|event| event["position"].as_u64() > Some(after) && wanted(event))
                .collect();
            let answer = read(&api, &format!("?after={after}{filter}")).await;
            assert_eq!(lines(&answer).iter().collect::<Vec<_>>(), expected, "{after} {filter}");
            // A client that takes them in threes gets the same ones.
            let (mut taken, mut last) = (Vec::new(), after);
            loop {
                let few = lines(&read(&api, &format!("?after={last}&limit=3{filter}")).await);
                let Some(position) = positions(&few).last().copied() else { break };
                assert!(few.len() <= 3);
                last = position;
                taken.extend(few);
            }
            assert_eq!(taken.iter().collect::<Vec<_>>(), expected, "{after} {filter}, in threes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_are_resumed_by_their_id() {
    let (_bed, api, _log) = with_log().await;
    let everything = read(&api, "").await;
    let auth = bearer(EDITOR, "events:read");
    let stream = async |query: &str, last: Option<&str>| {
        let mut headers = vec![("Authorization", &*auth), ("Accept", "text/event-stream")];
        headers.extend(last.map(|last| ("Last-Event-ID", last)));
        api.client.get_with(&format!("/v1/events{query}"), &headers).await
    };
    let expected = |after: usize| {
        everything.body.lines().zip(1..).skip(after).fold(String::new(), |mut all, (line, n)| {
            write!(all, "id: {n}\ndata: {line}\n\n").unwrap();
            all
        })
    };
    let answer = stream("", None).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.body, expected(0));
    // A browser comes back to the very same address.
    for last in 0..=23 {
        let answer = stream("?after=5", Some(&last.to_string())).await;
        assert_eq!(answer.body, expected(last), "after {last}");
    }
    stream("", Some("yesterday")).await.is_problem(400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_format_is_what_accept_prefers() {
    let (_bed, api, _log) = with_log().await;
    let auth = bearer(EDITOR, "events:read");
    for (accept, expected) in [
        ("*/*", "application/x-ndjson"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, */*;q=0.1", "text/event-stream"),
        ("text/event-stream;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("text/html", "application/x-ndjson"),
    ] {
        let headers = [("Authorization", auth.as_str()), ("Accept", accept)];
        let answer = api.client.get_with("/v1/events?limit=1", &headers).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, expected), "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_the_parameters_is_told_at_once() {
    let (_bed, api, _log) = with_log().await;
    let query = "?after=-1&limit=0&types=MovieShown,MovieExploded,marquee.movie.MovieShown.v9\
                 &movie_id=x&follow=yes&until=9";
    let refused = read(&api, query).await;
    refused.is_problem(400, "invalid_request");
    assert_eq!(refused.pointers(), ["after", "limit", "types", "movie_id", "follow", "until"]);
    let types = refused.json["errors"][2]["detail"].as_str().unwrap();
    assert!(types.contains("MovieExploded, marquee.movie.MovieShown.v9; "), "{types}");
    assert!(types.contains("MovieCreated, MovieRetitled"), "{types}");
    for query in ["?after=1&after=2", "?types=", "?types=MovieShown,", "?after=1e3", "?limit=+"] {
        read(&api, query).await.is_problem(400, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_feeds_are_open_than_may_be() {
    let mut bed = Bed::new().await;
    bed.settings.feed.max_open = 2;
    let api = bed.start().await;
    let first = Feed::open(&api, "?follow=true", &[]).await;
    let _second = Feed::open(&api, "?follow=true", &[]).await;
    let refused = read(&api, "").await;
    refused.is_problem(503, "busy");
    assert_eq!(refused.header("retry-after"), "5");
    // Who asks for nonsense is told so, all the same.
    read(&api, "?after=x").await.is_problem(400, "invalid_request");
    drop(first);
    let mut log = Log::default();
    until("there is room again", async || {
        // A client that has gone is noticed when something is sent to it.
        log.append(&bed, "MovieShown", 1).await;
        read(&api, "").await.status == 200
    })
    .await;
}
