//! What must not pass for a whole feed; and readers that are slow.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{End, Feed, lines, positions, read};
use crate::{
    bed::{Bed, until},
    log::Log,
    proxy::Proxy,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_ends_it_with_an_error() {
    let mut bed = Bed::new().await;
    bed.settings.feed.page_events = 4;
    let api = bed.start().await;
    let mut log = Log::with_movies(2);
    log.append(&bed, "MovieCreated", 20).await;
    log.lose(&bed, 11).await;
    for query in ["", "?follow=true", "?types=MovieCreated", "?types=MovieCreated&follow=true"] {
        let (sent, end) = Feed::open(&api, query, &[]).await.rest().await;
        assert_eq!(end, End::BrokenOff, "{query}");
        let (error, events) = sent.split_last().expect("an error");
        assert_eq!(error["error"]["code"], "log_incomplete", "{query}");
        assert_eq!(error["error"]["status"], 500);
        assert!(!error["error"]["request_id"].as_str().unwrap().is_empty());
        let reached = positions(events);
        assert_eq!(reached, (1..=8).collect::<Vec<_>>(), "{query}");
        assert_eq!(error["position"], 8, "from here on it can be tried again");
    }
    let (movie, _) = log.movies[1];
    let mut of_movie = Feed::open(&api, &format!("?movie_id={movie}"), &[]).await;
    let (of_movie, end) = of_movie.rest().await;
    assert_eq!((positions(&of_movie), end), (vec![1, 3, 5, 7, 7], End::BrokenOff));
    // What begins at the hole does not begin.
    for query in ["?after=10", "?after=8", "?after=8&types=MovieShown"] {
        let refused = read(&api, query).await;
        refused.is_problem(500, "log_incomplete");
    }
    assert_eq!(positions(&lines(&read(&api, "?after=11").await)).len(), 9);
    // The last one, too: the head tells that it was there.
    log.lose(&bed, 20).await;
    read(&api, "?after=19").await.is_problem(500, "log_incomplete");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mysql_it_does_not_begin_and_does_not_look_whole() {
    let mut bed = Bed::new().await;
    let url = bed.settings.mysql.url.expose_secret().to_owned();
    let proxy = Proxy::before(&url).await;
    bed.settings.mysql.url = proxy.url(&url).into();
    let api = bed.start().await;
    // More than the sockets on the way can hold.
    let mut log = Log::with_movies(50);
    log.padding = "x".repeat(1_000);
    log.append(&bed, "MovieCreated", 20_000).await;

    let mut feed = Feed::open(&api, "", &[]).await;
    let mut stream = Feed::open(&api, "", &[("Accept", "text/event-stream")]).await;
    let mut waiting = Feed::open(&api, "?after=20000&follow=true", &[]).await;
    assert_eq!(feed.json().await["position"], 1);
    proxy.cut();

    let (lines, end) = feed.rest().await;
    assert_eq!(end, End::BrokenOff);
    let (error, events) = lines.split_last().expect("an error");
    let reached = events.len() as u64 + 1;
    assert!(reached < 20_000, "the rest was on its way already");
    assert_eq!(positions(events), (2..=reached).collect::<Vec<_>>());
    assert_eq!(error["position"], reached);
    assert_eq!(error["error"]["code"], "unavailable");
    assert_eq!(error["error"]["status"], 503);

    let mut last = Vec::new();
    while let Ok(line) = stream.line().await {
        last.push(line);
    }
    let [event, id, data, empty] = &last[last.len() - 4..] else { panic!("no record") };
    assert_eq!((event.as_str(), empty.as_str()), ("event: problem", ""));
    assert!(id.starts_with("id: ") && data.contains("\"code\":\"unavailable\""), "{id} {data}");

    let (lines, end) = waiting.rest().await;
    assert_eq!(end, End::BrokenOff);
    assert_eq!(lines[0]["error"]["code"], "unavailable");
    assert_eq!(lines[0]["position"], 20_000);

    let refused = read(&api, "").await;
    refused.is_problem(503, "unavailable");
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_read_for_no_further_than_it_reads() {
    const EVENTS: u64 = 25_000;
    // The kernel's buffers of one connection, both ends.
    const SOCKETS: u64 = 12 * 1024 * 1024;
    let mut bed = Bed::new().await;
    let mut log = Log::with_movies(50);
    log.padding = "x".repeat(1_000);
    log.append(&bed, "MovieCreated", usize::try_from(EVENTS).unwrap()).await;
    let url = bed.settings.mysql.url.expose_secret().to_owned();
    let proxy = Proxy::before(&url).await;
    bed.settings.mysql.url = proxy.url(&url).into();
    bed.settings.feed.max_connections = 1;
    let api = bed.start().await;

    // They read a line each, and then nothing. There is one connection to MySQL for all of them.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut feed = Feed::open(&api, "", &[]).await;
        assert_eq!(feed.json().await["position"], 1);
        slow.push(feed);
    }
    let before = proxy.received();
    let answer = read(&api, "").await;
    let size = answer.body.len() as u64;
    assert_eq!(lines(&answer).len() as u64, EVENTS);
    // While one client read all of it, the others had no more than the pages and the sockets hold.
    let page = size / EVENTS * 1_000;
    let most = size + 3 * (2 * page + SOCKETS);
    assert!(most < 3 * size && before < most - size);
    assert!(proxy.received() < most, "{} of {size} a feed", proxy.received());

    for mut feed in slow {
        let (rest, end) = feed.rest().await;
        assert_eq!((rest.len() as u64, end), (EVENTS - 1, End::Whole));
        assert_eq!(rest.last().expect("the last")["data"]["n"], json!(EVENTS));
        assert_eq!(positions(&rest), (2..=EVENTS).collect::<Vec<_>>());
    }

    // What is far between is found beyond the stretch that one page looks at.
    log.append(&bed, "MovieShown", 1).await;
    assert_eq!(positions(&lines(&read(&api, "?types=MovieShown").await)), [EVENTS + 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_given_up_on() {
    let mut bed = Bed::new().await;
    bed.settings.feed.max_open = 1;
    bed.settings.feed.reader_timeout_ms = 200;
    let api = bed.start().await;
    let mut log = Log::with_movies(50);
    log.padding = "x".repeat(1_000);
    log.append(&bed, "MovieCreated", 20_000).await;
    let mut stuck = Feed::open(&api, "", &[]).await;
    assert_eq!(stuck.json().await["position"], 1);
    until("its place is free", async || read(&api, "?limit=1").await.status == 200).await;
    let (rest, end) = stuck.rest().await;
    let reached = rest.len() as u64 + 1;
    assert!(reached < 20_000);
    assert_eq!((positions(&rest), end), ((2..=reached).collect(), End::BrokenOff));
}
