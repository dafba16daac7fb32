//! What the tokens' topic is told besides that a token was issued.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use marquee_domain::{MovieId, stream_token::Unplayable};
use marquee_infra::clock;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Running, signing_key, until},
    client::Answer,
    sample::Sample,
    stream_tokens::{ask, token_of, with_mac, with_movie},
    topic::{Record, read_all},
};

const VERIFY: &str = "/v1/stream-tokens/verify";

async fn told(bed: &Bed, kind: &str) -> Vec<Record> {
    let mut records = read_all(bed, &bed.topics.stream_tokens).await;
    records.retain(|record| record.payload["type"] == kind);
    for record in &records {
        let Record { key, event, payload } = record;
        assert_eq!(event.event_type, format!("marquee.stream-token.{kind}.v1"));
        assert_eq!(json!(key), payload["viewer_context"]);
        assert_eq!(json!(event.subject), payload["movie_id"]);
        assert_eq!(event.source, "/marquee/query-api");
    }
    records
}

async fn verify(api: &Running, token: &str, path: &str) -> u16 {
    let headers = [("X-Stream-Token", token), ("X-Original-Path", path)];
    api.client.get_with(VERIFY, &headers).await.status
}

/// Asks in vain, twice, until both are told: then so is all that was refused before.
async fn all_is_told(bed: &Bed, api: &Running) {
    let mut nothing = Sample::new("Nothing");
    nothing.visibility = "HIDDEN";
    bed.show(api, &mut nothing).await;
    let movie_id = json!(nothing.movie_id);
    let of_it = async || {
        let denied = told(bed, "StreamTokenDenied").await;
        denied.iter().filter(|record| record.payload["movie_id"] == movie_id).count()
    };
    // What is behind the first one is not published before all that was with it.
    for expected in 1..=2 {
        let answer = api.client.post(&nothing.tokens_path(), &json!({}), &[]).await;
        answer.is_problem(404, "movie_not_found");
        until("it is told", async || of_it().await == expected).await;
    }
}

/// As the projector does it.
async fn project(bed: &Bed, answer: &Answer, viewer: &str) {
    sqlx::query(
        "INSERT INTO stream_token_audit (token_id, movie_id, event_type, viewer_context, dialect,
             key_id, token_sha256, signed_url, issued_at, expires_at, stateless)
         VALUES (?, ?, 'StreamTokenIssued', ?, 'EDGE_AUTH', 'edge-2', '', '', ?, ?, FALSE)",
    )
    .bind(answer.json["token_id"].as_str())
    .bind(answer.json["movie_id"].as_str())
    .bind(viewer)
    .bind(clock::now())
    .bind(clock::now())
    .execute(&bed.pool)
    .await
    .expect("a row is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_place_of_one_that_lives_is_told_as_its_renewal() {
    let bed = Bed::new().await;
    let (api, mut movie) = with_movie(&bed).await;
    let first = ask(&api, &movie, "tv-1").await;
    until("the record is noted", async || {
        let known = read_all(&bed, &bed.topics.stream_tokens).await.len();
        ask(&api, &movie, "tv-1").await;
        read_all(&bed, &bed.topics.stream_tokens).await.len() == known
    })
    .await;
    // The window is cut: the token that outlives it is not given out again.
    movie.end = clock::now() + TimeDelta::seconds(100);
    bed.show(&api, &mut movie).await;
    let second = ask(&api, &movie, "tv-1").await;
    let other = ask(&api, &movie, "tv-2").await;

    let issued = told(&bed, "StreamTokenIssued").await;
    let issued: Vec<&Value> = issued.iter().map(|record| &record.payload["token_id"]).collect();
    for (token, is_issued) in [(&first, true), (&second, false), (&other, true)] {
        assert_eq!(issued.contains(&&token.json["token_id"]), is_issued, "{token:?}");
    }
    let renewed = told(&bed, "StreamTokenRenewed").await;
    assert_eq!(renewed.len(), 1);
    let Record { event, payload, .. } = &renewed[0];
    assert_eq!(payload["token_id"], second.json["token_id"]);
    assert_eq!(payload["renews"], first.json["token_id"]);
    assert_eq!(json!(event.id), second.json["token_id"]);
    for member in ["movie_id", "issued_at", "expires_at"] {
        assert_eq!(payload[member], second.json[member], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_a_movie_that_cannot_be_played_is_told_of_with_the_reason() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let played = ask(&api, &movie, "tv-1").await;
    let viewer = told(&bed, "StreamTokenIssued").await.remove(0).key;

    let now = clock::now();
    let mut expected = BTreeMap::new();
    let mut deny = async |reason: Unplayable, status, code, change: fn(&mut Sample)| {
        let mut movie = Sample::new("Beta");
        change(&mut movie);
        bed.show(&api, &mut movie).await;
        let session = json!({ "session_id": "tv-1" });
        let answer = api.client.post(&movie.tokens_path(), &session, &[]).await;
        answer.is_problem(status, code);
        expected.insert(movie.movie_id.to_string(), reason.as_str());
    };
    let gone = "movie_not_found";
    deny(Unplayable::Hidden, 404, gone, |movie| movie.visibility = "HIDDEN").await;
    deny(Unplayable::Removed, 404, gone, |movie| movie.removed = true).await;
    deny(Unplayable::NotYetAvailable, 404, gone, |movie| {
        movie.start += TimeDelta::minutes(90);
        movie.end += TimeDelta::minutes(90);
    })
    .await;
    deny(Unplayable::NoLongerAvailable, 404, gone, |movie| movie.end -= TimeDelta::minutes(90))
        .await;
    deny(Unplayable::NoPlayableSource, 404, gone, |movie| movie.source = None).await;
    deny(Unplayable::NoPlayableSource, 404, gone, |movie| {
        movie.source.as_mut().expect("a source").validation_status = "INVALID";
    })
    .await;
    deny(Unplayable::StreamUnusable, 422, "stream_unusable", |movie| {
        "https://cdn.example/m.m3u8".clone_into(&mut movie.source.as_mut().expect("a source").url);
    })
    .await;
    // Of what there never was, nothing is told, nor of a request that can't be read.
    let unknown = Sample::new("Never");
    api.client.post(&unknown.tokens_path(), &json!({}), &[]).await.is_problem(404, gone);
    let bad = json!({ "session_id": 7 });
    api.client.post(&movie.tokens_path(), &bad, &[]).await.is_problem(422, "validation_failed");
    all_is_told(&bed, &api).await;

    let mut found = BTreeMap::new();
    for Record { key, event, payload } in told(&bed, "StreamTokenDenied").await {
        if key != viewer {
            continue;
        }
        assert_eq!(json!(event.id), payload["denial_id"]);
        assert!(event.time >= now && event.time <= clock::now(), "{payload}");
        let text = |member: &str| payload[member].as_str().expect("a text").to_owned();
        assert_eq!(found.insert(text("movie_id"), text("reason")), None, "told once");
    }
    assert_eq!(found, expected.into_iter().map(|(id, why)| (id, why.to_owned())).collect());
    assert_eq!(ask(&api, &movie, "tv-1").await.json["token_id"], played.json["token_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_that_is_refused_for_its_movie_is_told_of_once_under_one_id() {
    let bed = Bed::new().await;
    let (api, mut movie) = with_movie(&bed).await;
    let other_process = bed.start().await;
    let answer = ask(&api, &movie, "tv-1").await;
    let viewer = told(&bed, "StreamTokenIssued").await.remove(0).key;
    let (token, path) = (token_of(&answer), movie.playlist_path());
    assert_eq!(verify(&api, &token, &path).await, 204);

    movie.visibility = "HIDDEN";
    let position = bed.put(&mut movie).await;
    for process in [&api, &other_process] {
        process.catches_up(position).await;
    }
    // Refused, and not told of: its record is not projected yet.
    assert_eq!(verify(&api, &token, &path).await, 403);
    all_is_told(&bed, &api).await;
    assert!(told(&bed, "StreamTokenRevoked").await.is_empty());

    project(&bed, &answer, &viewer).await;
    let before = clock::now();
    for process in [&api, &other_process] {
        for _ in 0..3 {
            assert_eq!(verify(process, &token, &path).await, 403);
        }
    }
    all_is_told(&bed, &api).await;
    all_is_told(&bed, &other_process).await;
    let revoked = told(&bed, "StreamTokenRevoked").await;
    assert_eq!(revoked.len(), 2, "one of each process");
    let token_id = answer.json["token_id"].as_str().unwrap();
    for Record { key, event, payload } in &revoked {
        assert_eq!(event.id, format!("{token_id}/revoked"), "the same to whoever knows ids");
        assert_eq!((key, &payload["token_id"]), (&viewer, &json!(token_id)));
        assert_eq!(payload["reason"], "HIDDEN");
        assert!(event.time >= before && event.time <= clock::now(), "{payload}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_says_what_became_of_the_movie() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let mut expected = BTreeMap::new();
    let mut revoke = async |reason: Unplayable, change: fn(&mut Sample)| {
        let mut movie = Sample::new("Beta");
        bed.show(&api, &mut movie).await;
        let answer = ask(&api, &movie, "tv-1").await;
        project(&bed, &answer, &"c3".repeat(32)).await;
        change(&mut movie);
        bed.show(&api, &mut movie).await;
        let (token, path) = (token_of(&answer), movie.playlist_path());
        assert_eq!(verify(&api, &token, &path).await, 403);
        expected.insert(movie.movie_id.to_string(), reason.as_str());
    };
    revoke(Unplayable::Hidden, |movie| movie.visibility = "HIDDEN").await;
    revoke(Unplayable::Removed, |movie| movie.removed = true).await;
    revoke(Unplayable::NoLongerAvailable, |movie| movie.end -= TimeDelta::minutes(90)).await;
    revoke(Unplayable::NotYetAvailable, |movie| movie.start += TimeDelta::minutes(90)).await;
    revoke(Unplayable::NoPlayableSource, |movie| {
        movie.source.as_mut().expect("a source").validation_status = "INVALID";
    })
    .await;

    // A token that is no good in itself is not revoked, whatever became of its movie.
    let mut hidden = Sample::new("Gamma");
    hidden.visibility = "HIDDEN";
    bed.show(&api, &mut hidden).await;
    let now = clock::now().timestamp();
    let made = |movie_id: MovieId, exp: i64, key: &[u8]| {
        let token_id = clock::new_uuid();
        let signed = format!(
            "st={}~exp={exp}~acl=/movies/{movie_id}/*~id={token_id}~data={movie_id}.edge-2",
            now - 60
        );
        with_mac(&signed, key)
    };
    let never = MovieId::new(clock::new_uuid());
    let path = hidden.playlist_path();
    for (token, path, why) in [
        (made(hidden.movie_id, now + 60, b"a key of nobody's"), path.clone(), "forged"),
        (made(hidden.movie_id, now - 1, &signing_key()), path.clone(), "expired"),
        (made(hidden.movie_id, now + 60, &signing_key()), movie.playlist_path(), "another path"),
        (made(never, now + 60, &signing_key()), format!("/movies/{never}/m.m3u8"), "no movie"),
        // Good, but never issued: there is nobody that it could be told of.
        (made(hidden.movie_id, now + 60, &signing_key()), path, "without a record"),
    ] {
        assert_eq!(verify(&api, &token, &path).await, 403, "{why}");
    }
    all_is_told(&bed, &api).await;
    let found: BTreeMap<String, String> = told(&bed, "StreamTokenRevoked")
        .await
        .into_iter()
        .map(|Record { payload, .. }| {
            let text = |member: &str| payload[member].as_str().expect("a text").to_owned();
            (text("movie_id"), text("reason"))
        })
        .collect();
    assert_eq!(found, expected.into_iter().map(|(id, why)| (id, why.to_owned())).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_and_mysql_the_answers_are_the_same() {
    let mut bed = Bed::new().await;
    bed.settings.kafka.brokers = "127.0.0.1:1".to_owned();
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    movie.visibility = "HIDDEN";
    bed.show(&api, &mut movie).await;
    bed.drop_database().await;
    let now = clock::now().timestamp();
    let id = movie.movie_id;
    for _ in 0..100 {
        let answer = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
        answer.is_problem(404, "movie_not_found");
        let token_id = clock::new_uuid();
        let signed =
            format!("st={now}~exp={}~acl=/movies/{id}/*~id={token_id}~data={id}.edge-2", now + 60);
        let token = with_mac(&signed, &signing_key());
        assert_eq!(verify(&api, &token, &movie.playlist_path()).await, 403);
    }
}

/// What Redis knows of a viewer's current token.
struct Kept {
    redis: redis::aio::MultiplexedConnection,
    key: String,
}

impl Kept {
    async fn of(bed: &Bed, movie: &Sample, viewer: &str) -> Self {
        let client = redis::Client::open(bed.settings.redis.url.expose_secret()).expect("a URL");
        let redis = client.get_multiplexed_async_connection().await.expect("Redis is up");
        let prefix = &bed.settings.redis.key_prefix;
        Self { redis, key: format!("{prefix}stream-token:{}:{viewer}", movie.movie_id) }
    }

    async fn is_audited(&mut self) -> bool {
        let mut get = redis::cmd("HGET");
        get.arg(&self.key).arg("audited");
        get.query_async(&mut self.redis).await.expect("it is there")
    }

    async fn forget_that_it_is_audited(&mut self) {
        let mut set = redis::cmd("HSET");
        set.arg(&self.key).arg("audited").arg(0);
        let added: i64 = set.query_async(&mut self.redis).await.expect("it is set");
        assert_eq!(added, 0, "it was there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_of_an_outage_is_told_as_one_and_none_of_a_token_that_may_not_be_audited() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    let brokers = std::mem::replace(&mut bed.settings.kafka.brokers, "127.0.0.1:1".to_owned());
    let mut movie = Sample::new("Alpha");
    let outbox = "SELECT CAST(viewer_context AS CHAR) FROM stream_token_outbox
         WHERE token_id = ?";
    let (first, second, other) = {
        let api = bed.start().await;
        bed.show(&api, &mut movie).await;
        let first = ask(&api, &movie, "tv-1").await;
        for session in ["tv-1", "tv-2"] {
            let token = ask(&api, &movie, session).await;
            let viewer: String = sqlx::query_scalar(outbox)
                .bind(token.json["token_id"].as_str())
                .fetch_one(&bed.pool)
                .await
                .expect("it is in the outbox");
            let mut kept = Kept::of(&bed, &movie, &viewer).await;
            until("the record is noted", async || kept.is_audited().await).await;
            if session == "tv-2" {
                kept.forget_that_it_is_audited().await;
            }
        }
        movie.end = clock::now() + TimeDelta::seconds(100);
        bed.show(&api, &mut movie).await;
        let (second, other) = (ask(&api, &movie, "tv-1").await, ask(&api, &movie, "tv-2").await);
        api.stop_gracefully().await;
        (first, second, other)
    };
    bed.settings.kafka.brokers = brokers;
    let _api = bed.start().await;
    until("the outbox is published", async || {
        read_all(&bed, &bed.topics.stream_tokens).await.len() == 4
    })
    .await;
    let renewed = told(&bed, "StreamTokenRenewed").await;
    assert_eq!(renewed.len(), 1);
    assert_eq!(renewed[0].payload["token_id"], second.json["token_id"]);
    assert_eq!(renewed[0].payload["renews"], first.json["token_id"]);
    let issued = told(&bed, "StreamTokenIssued").await;
    assert_eq!(issued.len(), 3);
    assert!(issued.iter().any(|one| one.payload["token_id"] == other.json["token_id"]));
}
