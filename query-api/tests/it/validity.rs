//! `GET /v1/stream-tokens/validity`, and how long the edge may keep what `verify` says.

use chrono::TimeDelta;
use marquee_infra::clock;
use serde_json::json;

use crate::{
    bed::{Bed, Running},
    sample::Sample,
    stream_tokens::token_of,
};

const NEVER: &str = "0";

async fn validity(api: &Running) -> String {
    let answer = api.client.get("/v1/stream-tokens/validity").await;
    assert_eq!((answer.status, answer.header("cache-control")), (204, "no-store"), "{answer:?}");
    let tag = answer.header("x-token-validity").to_owned();
    assert_eq!(tag.len(), 32, "{answer:?}");
    tag
}

/// What `verify` says about how long.
async fn kept(api: &Running, token: &str, path: &str, validity: &str) -> String {
    let headers =
        [("X-Stream-Token", token), ("X-Original-Path", path), ("X-Token-Validity", validity)];
    let answer = api.client.get_with("/v1/stream-tokens/verify", &headers).await;
    assert_eq!((answer.status, answer.header("cache-control")), (204, "no-store"), "{answer:?}");
    answer.header("x-accel-expires").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_changes_with_what_viewers_may_see_and_with_nothing_else() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let empty = validity(&api).await;
    let (mut movie, mut other) = (Sample::new("Alpha"), Sample::new("Beta"));
    other.visibility = "HIDDEN";
    bed.show(&api, &mut movie).await;
    let shown = validity(&api).await;
    assert_ne!(shown, empty);

    bed.show(&api, &mut other).await;
    movie.genres = vec!["Comedy"];
    bed.show(&api, &mut movie).await;
    assert_eq!(validity(&api).await, shown, "nobody sees more or less than before");

    let mut over_earlier = movie.clone();
    over_earlier.end -= TimeDelta::minutes(10);
    let mut hidden = movie.clone();
    hidden.visibility = "HIDDEN";
    let mut removed = movie.clone();
    removed.removed = true;
    for changed in [&mut over_earlier, &mut hidden, &mut removed] {
        changed.version = movie.version;
        bed.show(&api, changed).await;
        let tag = validity(&api).await;
        assert_ne!(tag, shown, "{changed:?}");
        let reread = bed.start().await;
        assert_eq!(validity(&reread).await, tag, "the same to whoever has read all at once");
        movie.version = changed.version;
        bed.show(&api, &mut movie).await;
        assert_eq!(validity(&api).await, shown, "as it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_are_another_validity() {
    let mut bed = Bed::new().await;
    let before = validity(&bed.start().await).await;
    bed.settings.stream_token.keys = "edge-3:202122232425262728292a2b2c2d2e2f".into();
    assert_ne!(validity(&bed.start().await).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_until_the_token_or_the_movie_ends_by_those_who_know_the_validity() {
    let bed = Bed::new().await;
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    let issued = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
    let (token, path) = (token_of(&issued), movie.playlist_path());
    let (_, after) = token.split_once("~exp=").expect("it expires");
    let expires: i64 = after[..10].parse().expect("seconds");

    let first = validity(&api).await;
    // nginx keeps it to the end of the second that is named.
    assert_eq!(kept(&api, &token, &path, &first).await, format!("@{}", expires - 1));
    for unknown in ["", "0", &first.to_uppercase()] {
        assert_eq!(kept(&api, &token, &path, unknown).await, NEVER, "{unknown}");
    }

    movie.end = clock::now() + TimeDelta::seconds(60);
    bed.show(&api, &mut movie).await;
    assert_eq!(kept(&api, &token, &path, &first).await, NEVER, "of before the change");
    let second = validity(&api).await;
    let last = movie.end.timestamp() - 1;
    assert_eq!(kept(&api, &token, &path, &second).await, format!("@{last}"));
}
