//! `POST /v1/movies/{id}/stream-tokens`.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use marquee_domain::StreamSourceId;
use marquee_infra::clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    bed::{Bed, Running, signing_key, until},
    client::{Answer, bearer},
    sample::Sample,
    topic::read_all,
};

const USER: &str = "0197d2a5-0000-7000-8000-000000000001";

pub async fn with_movie(bed: &Bed) -> (Running, Sample) {
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    (api, movie)
}

pub async fn ask(api: &Running, movie: &Sample, session: &str) -> Answer {
    let answer =
        api.client.post(&movie.tokens_path(), &json!({ "session_id": session }), &[]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

pub fn instant(json: &Value) -> DateTime<Utc> {
    json.as_str().expect("a text").parse().expect("an instant")
}

/// The token in a signed URL, decoded once, as the edge does it.
pub fn token_of(answer: &Answer) -> String {
    let url = answer.json["signed_url"].as_str().expect("a signed URL");
    let segment = url.split('/').nth(3).expect("a first segment");
    let encoded = segment.strip_prefix("hdnts=").expect("the token's segment");
    percent_encoding::percent_decode_str(encoded).decode_utf8().expect("text").into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_signed_for_the_movie_s_directory_and_audited_before_it_is_given_out() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let before = clock::now();
    let answer = ask(&api, &movie, "tv-1").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    // Kafka had it before the answer: no waiting here.
    let records = read_all(&bed, &bed.topics.stream_tokens).await;

    let json = &answer.json;
    let (issued, expires) = (instant(&json["issued_at"]), instant(&json["expires_at"]));
    assert!(issued <= before && before - issued < TimeDelta::seconds(5), "{answer:?}");
    assert_eq!(expires - issued, TimeDelta::seconds(300));
    assert_eq!(instant(&json["refresh_after"]) - issued, TimeDelta::seconds(180));
    assert_eq!((&json["movie_id"], &json["session_id"]), (&json!(movie.movie_id), &json!("tv-1")));

    let token = token_of(&answer);
    let signed = format!(
        "st={}~exp={}~acl=/movies/{}/*~id={}~data={}.edge-2",
        issued.timestamp(),
        expires.timestamp(),
        movie.movie_id,
        json["token_id"].as_str().unwrap(),
        movie.movie_id,
    );
    assert_eq!(token, with_mac(&signed, &signing_key()));
    let url = json["signed_url"].as_str().unwrap();
    assert!(url.starts_with("https://cdn.example:8443/hdnts="), "{url}");
    assert!(url.ends_with(&format!("{}?v=1", movie.playlist_path())), "{url}");

    assert_eq!(records.len(), 1);
    let (record, audit) = (&records[0], &records[0].payload);
    assert_eq!(record.event.event_type, "marquee.stream-token.StreamTokenIssued.v1");
    assert_eq!(record.event.source, "/marquee/query-api");
    assert_eq!(Some(record.key.as_str()), audit["viewer_context"].as_str());
    assert_eq!(audit["type"], "StreamTokenIssued");
    for member in ["token_id", "movie_id", "issued_at", "expires_at"] {
        assert_eq!(audit[member], json[member], "{member}");
    }
    let digest = hex::encode(Sha256::digest(token.as_bytes()));
    assert_eq!(audit["token_sha256"], digest);
    assert_eq!((&audit["dialect"], &audit["key_id"]), (&json!("EDGE_AUTH"), &json!("edge-2")));
    assert_eq!(audit["stateless"], false);
    let kept = audit["signed_url"].as_str().unwrap();
    assert!(kept.contains(&format!("/hdnts=sha256-{digest}/movies/")), "{kept}");
    assert!(!kept.contains("hmac"), "{kept}");
    assert!(!record.key.contains("tv-1"));
}

pub fn with_mac(signed: &str, key: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}~hmac={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn until_refresh_after_everyone_who_asks_for_the_same_viewer_gets_the_same_token() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let other_process = bed.start().await;
    let asks = (0..100).map(|n| {
        let api = if n % 2 == 0 { &api } else { &other_process };
        ask(api, &movie, "tv-1")
    });
    let answers = join_all(asks).await;
    let urls: HashSet<&str> =
        answers.iter().filter_map(|answer| answer.json["signed_url"].as_str()).collect();
    assert_eq!(urls.len(), 1);

    let first = &answers[0].json["token_id"];
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    assert!(audited.iter().all(|record| record.payload["token_id"] == *first));

    // Of one token there is one audit record, however many ask for it once it is known to be there.
    until("the record is noted", async || {
        let known = read_all(&bed, &bed.topics.stream_tokens).await.len();
        ask(&api, &movie, "tv-1").await;
        read_all(&bed, &bed.topics.stream_tokens).await.len() == known
    })
    .await;

    // Another session, user or movie is another token.
    let mut second = Sample::new("Beta");
    bed.show(&api, &mut second).await;
    let user = bearer(USER, "");
    let of_user = api
        .client
        .post(&movie.tokens_path(), &json!({ "session_id": "tv-1" }), &[("Authorization", &user)])
        .await;
    let others = [ask(&api, &movie, "tv-2").await, ask(&api, &second, "tv-1").await, of_user];
    let ids: HashSet<&str> =
        others.iter().filter_map(|answer| answer.json["token_id"].as_str()).collect();
    assert_eq!(ids.len(), 3);
    assert!(!ids.contains(first.as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_refresh_after_there_is_a_new_token_and_the_old_one_lives_on() {
    let mut bed = Bed::new().await;
    bed.settings.stream_token.ttl_seconds = 5;
    let (api, movie) = with_movie(&bed).await;
    let first = ask(&api, &movie, "tv-1").await;
    let mut renewed = None;
    until("the token is renewed", async || {
        let asked_at = clock::now();
        let answer = ask(&api, &movie, "tv-1").await;
        let is_new = answer.json["token_id"] != first.json["token_id"];
        let due = instant(&first.json["refresh_after"]);
        assert!(!is_new || clock::now() >= due, "too early: {answer:?}");
        assert!(is_new || asked_at < due, "too late: {answer:?}");
        renewed = is_new.then_some(answer);
        renewed.is_some()
    })
    .await;
    let verified = api
        .client
        .get_with(
            "/v1/stream-tokens/verify",
            &[("X-Stream-Token", &token_of(&first)), ("X-Original-Path", &movie.playlist_path())],
        )
        .await;
    assert!(verified.status == 204 || clock::now() >= instant(&first.json["expires_at"]));
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    assert!(audited.len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_movie_s_window_and_changes_with_its_source() {
    let bed = Bed::new().await;
    let (api, mut movie) = with_movie(&bed).await;
    let first = ask(&api, &movie, "tv-1").await;

    // The window is cut: the token that outlives it is not given out again.
    movie.end = clock::now() + TimeDelta::seconds(100);
    bed.show(&api, &mut movie).await;
    let cut = ask(&api, &movie, "tv-1").await;
    assert_ne!(cut.json["token_id"], first.json["token_id"]);
    assert_eq!(instant(&cut.json["expires_at"]).timestamp(), movie.end.timestamp());

    // Another primary source: a token for the old directory is not, either.
    let source = movie.source.as_mut().unwrap();
    source.stream_source_id = StreamSourceId::new(clock::new_uuid());
    source.url = "https://cdn.example/elsewhere/a.m3u8".to_owned();
    bed.show(&api, &mut movie).await;
    let moved = ask(&api, &movie, "tv-1").await;
    assert_ne!(moved.json["token_id"], cut.json["token_id"]);
    assert!(token_of(&moved).contains("~acl=/elsewhere/*~"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anonymous_get_a_session_to_come_back_with() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    // No body at all is as good as an empty one.
    let bare = Answer::of(api.client.request(reqwest::Method::POST, &movie.tokens_path())).await;
    assert_eq!(bare.status, 201, "{bare:?}");
    let session = bare.json["session_id"].as_str().unwrap();
    assert_eq!(session.len(), 32);
    let again = ask(&api, &movie, session).await;
    assert_eq!(again.json["token_id"], bare.json["token_id"]);
    let empty = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
    assert_ne!(empty.json["session_id"], bare.json["session_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_told_what_is_wrong() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let path = movie.tokens_path();
    for (body, pointers) in [
        (json!({ "session_id": "" }), vec!["/session_id"]),
        (json!({ "session_id": "a b" }), vec!["/session_id"]),
        (json!({ "session_id": "x".repeat(129) }), vec!["/session_id"]),
        (json!({ "session_id": 7, "ttl": 900 }), vec!["/session_id", "/ttl"]),
        (json!([]), vec![""]),
    ] {
        let answer = api.client.post(&path, &body, &[]).await;
        assert_eq!(answer.is_problem(422, "validation_failed").pointers(), pointers);
    }
    let nobody = format!("/v1/movies/{}/stream-tokens", clock::new_uuid());
    for path in ["/v1/movies/not-an-id/stream-tokens", nobody.as_str()] {
        api.client.post(path, &json!({}), &[]).await.is_problem(404, "movie_not_found");
    }
    let got = api.client.get(&path).await;
    assert_eq!(got.is_problem(405, "method_not_allowed").header("allow"), "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ttl_beyond_five_minutes_is_refused_at_start() {
    let mut bed = Bed::new().await;
    for (ttl_seconds, fits) in [(0, false), (1, true), (300, true), (301, false)] {
        bed.settings.stream_token.ttl_seconds = ttl_seconds;
        assert_eq!(bed.settings.check().is_ok(), fits, "{ttl_seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_at_the_cdn_s_root_is_not_signed() {
    let bed = Bed::new().await;
    let (api, mut movie) = with_movie(&bed).await;
    movie.source.as_mut().unwrap().url = "https://cdn.example/master.m3u8".to_owned();
    bed.show(&api, &mut movie).await;
    let answer = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
    answer.is_problem(422, "stream_unusable");
    assert!(!answer.body.contains("cdn.example"));
}
