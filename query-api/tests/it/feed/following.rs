//! What comes later.

use serde_json::{Value, json};

use super::{End, Feed, positions};
use crate::{bed::Bed, log::Log};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_sees_what_is_appended_after_what_was_there() {
    let mut bed = Bed::new().await;
    bed.settings.feed.page_events = 3;
    let api = bed.start().await;
    let mut log = Log::with_movies(2);
    log.append(&bed, "MovieCreated", 10).await;
    let mut all = Feed::open(&api, "?follow=true", &[]).await;
    let mut shown = Feed::open(&api, "?follow=true&types=MovieShown&after=2", &[]).await;
    let (movie, _) = log.movies[1];
    let mut one = Feed::open(&api, &format!("?follow=true&movie_id={movie}"), &[]).await;
    let mut later = Feed::open(&api, "?follow=true&after=14", &[]).await;
    for position in 1..=10 {
        assert_eq!(all.json().await["position"], position);
    }
    for round in 0..5 {
        log.append(&bed, "MovieShown", 1).await;
        assert_eq!(all.json().await["position"], 11 + round);
        assert_eq!(shown.json().await["position"], 11 + round);
    }
    log.append(&bed, "MovieHidden", 5).await;
    for position in 16..=20 {
        assert_eq!(all.json().await["position"], position);
    }
    // Movie 1 has the odd positions.
    for position in (1..=20).filter(|position| position % 2 == 1) {
        assert_eq!(one.json().await["position"], position);
    }
    // Beyond the end, when it was asked for.
    for position in 15..=20 {
        assert_eq!(later.json().await["position"], position);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_it() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut log = Log::default();
    log.append(&bed, "MovieCreated", 3).await;
    let mut feed = Feed::open(&api, "?follow=true&limit=5", &[]).await;
    assert_eq!(feed.json().await["position"], 1);
    log.append(&bed, "MovieShown", 3).await;
    let (rest, end) = feed.rest().await;
    assert_eq!((positions(&rest), end), (vec![2, 3, 4, 5], End::Whole));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_says_how_far_the_log_was_looked_at() {
    let mut bed = Bed::new().await;
    bed.settings.feed.heartbeat_ms = 30;
    let api = bed.start().await;
    let mut log = Log::default();
    log.append(&bed, "MovieCreated", 7).await;
    let mut lines = Feed::open(&api, "?follow=true&types=MovieShown", &[]).await;
    assert_eq!(lines.json().await, json!({ "heartbeat": true, "position": 7 }));
    log.append(&bed, "MovieHidden", 2).await;
    while lines.json().await["position"] != 9 {}

    let mut stream =
        Feed::open(&api, "?follow=true&types=MovieShown", &[("Accept", "text/event-stream")]).await;
    // No event, for whoever listens; but what comes back as Last-Event-ID moves on.
    assert_eq!(stream.line().await, Ok(": heartbeat".to_owned()));
    assert_eq!(stream.line().await, Ok("id: 9".to_owned()));
    assert_eq!(stream.line().await, Ok(String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_says_where_it_was() {
    let mut bed = Bed::new().await;
    // It must not be this that ends the feeds.
    bed.settings.http.shutdown_seconds = 600;
    let api = bed.start().await;
    let mut log = Log::default();
    log.append(&bed, "MovieCreated", 4).await;
    let mut feeds = Vec::new();
    for query in ["?follow=true", "?follow=true&types=MovieShown"] {
        feeds.push(Feed::open(&api, query, &[]).await);
    }
    for position in 1..=4 {
        assert_eq!(feeds[0].json().await["position"], position);
    }
    api.stop_gracefully().await;
    for mut feed in feeds {
        let (rest, end) = feed.rest().await;
        let last: Vec<Value> = vec![json!({ "heartbeat": true, "position": 4 })];
        assert_eq!((rest, end), (last, End::Whole));
    }
}
