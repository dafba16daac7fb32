//! `GET /v1/stream-tokens/verify`: what nginx asks.

use chrono::TimeDelta;
use marquee_infra::clock;
use serde_json::json;

use crate::{
    bed::{Bed, Running, signing_key, until},
    client::Answer,
    dialects::KeysFile,
    sample::Sample,
    stream_tokens::{token_of, with_mac},
};

const VERIFY: &str = "/v1/stream-tokens/verify";

async fn verify(api: &Running, token: &str, path: &str) -> Answer {
    api.client.get_with(VERIFY, &[("X-Stream-Token", token), ("X-Original-Path", path)]).await
}

async fn with_token(bed: &Bed) -> (Running, Sample, String) {
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    let answer = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let token = token_of(&answer);
    (api, movie, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_opens_its_movie_s_directory_and_nothing_else() {
    let bed = Bed::new().await;
    let (api, movie, token) = with_token(&bed).await;
    let directory = format!("/movies/{}", movie.movie_id);
    for open in [movie.playlist_path(), format!("{directory}/720p/000.ts")] {
        let answer = verify(&api, &token, &open).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{open}");
    }
    for shut in [
        format!("{directory}0/master.m3u8"),
        "/movies/master.m3u8".to_owned(),
        format!("{directory}/../other/master.m3u8"),
        format!("{directory}/%2e%2e/other/master.m3u8"),
        format!("{directory}/..%2fother/master.m3u8"),
        format!("{directory}%2fmaster.m3u8"),
        format!("{directory}/..\\other\\master.m3u8"),
        format!("{directory}\\master.m3u8"),
        format!("{directory}/./master.m3u8"),
        format!("{directory}/master.m3u8%00"),
        format!("{directory}/.."),
        format!("{directory}/"),
        format!("/movies/{}/master.m3u8", &movie.movie_id.to_string()[..35]),
        format!("{directory}//master.m3u8"),
        format!("/{directory}/master.m3u8"),
        directory.clone(),
        "/".to_owned(),
    ] {
        verify(&api, &token, &shut).await.is_problem(403, "token_refused");
    }
    api.client.get(VERIFY).await.is_problem(403, "token_refused");
    let path = movie.playlist_path();
    for half in [("X-Stream-Token", token.as_str()), ("X-Original-Path", path.as_str())] {
        api.client.get_with(VERIFY, &[half]).await.is_problem(403, "token_refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_is_refused() {
    let bed = Bed::new().await;
    let (api, movie, token) = with_token(&bed).await;
    let mut tried = 0;
    for bit in 0..token.len() * 8 {
        let mut bytes = token.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // What can't be sent in a header never reaches the service.
        let Ok(value) = reqwest::header::HeaderValue::from_bytes(&bytes) else { continue };
        let request = api
            .client
            .request(reqwest::Method::GET, VERIFY)
            .header("X-Stream-Token", value)
            .header("X-Original-Path", movie.playlist_path());
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 403, "bit {bit}: {answer:?}");
        tried += 1;
    }
    assert!(tried > token.len() * 6);
    assert_eq!(verify(&api, &token, &movie.playlist_path()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_keys_and_movies_are_checked_behind_a_good_signature() {
    let bed = Bed::new().await;
    let (api, movie, _) = with_token(&bed).await;
    let now = clock::now().timestamp();
    let (id, key) = (movie.movie_id.to_string(), signing_key());
    let unknown = clock::new_uuid();
    let other_key: Vec<u8> = (0..16).collect();
    let token = |st: i64, exp: i64, data: &str, key: &[u8]| {
        with_mac(&format!("st={st}~exp={exp}~acl=/movies/{id}/*~id={unknown}~data={data}"), key)
    };
    let mine = format!("{id}.edge-2");
    let older = format!("{id}.edge-1");
    let path = movie.playlist_path();
    for (good, which) in [
        (token(now, now + 60, &mine, &key), "the key that signs"),
        (token(now, now + 60, &older, &other_key), "the key that signed before"),
    ] {
        assert_eq!(verify(&api, &good, &path).await.status, 204, "{which}");
    }
    for (bad, why) in [
        (token(now - 60, now - 1, &mine, &key), "expired"),
        (token(now - 60, now, &mine, &key), "expires now"),
        (token(now + 60, now + 120, &mine, &key), "not valid yet"),
        (token(now, now + 60, &older, &key), "the other key's name"),
        (token(now, now + 60, &format!("{id}.edge-9"), &key), "an unknown key"),
        (token(now, now + 60, &id, &key), "no key"),
        (token(now, now + 60, &format!("{unknown}.edge-2"), &key), "an unknown movie"),
        (token(now, now + 60, "x.edge-2", &key), "no movie"),
    ] {
        let answer = verify(&api, &bad, &path).await;
        assert_eq!(answer.status, 403, "{why}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_tokens_end_when_the_movie_is_hidden_removed_or_over() {
    let bed = Bed::new().await;
    let (api, movie, token) = with_token(&bed).await;
    let path = movie.playlist_path();
    let mut hidden = movie.clone();
    hidden.visibility = "HIDDEN";
    let mut over = movie.clone();
    over.end = clock::now() - TimeDelta::seconds(1);
    let mut removed = movie.clone();
    removed.removed = true;
    let mut shown = movie.clone();
    for changed in [&mut hidden, &mut over, &mut removed] {
        changed.version = shown.version;
        bed.show(&api, changed).await;
        verify(&api, &token, &path).await.is_problem(403, "token_refused");
        shown.version = changed.version;
        bed.show(&api, &mut shown).await;
        assert_eq!(verify(&api, &token, &path).await.status, 204);
    }
    // And by itself, at the end of its window.
    shown.end = clock::now() + TimeDelta::milliseconds(500);
    bed.show(&api, &mut shown).await;
    until("the window ends", async || clock::now() >= shown.end).await;
    verify(&api, &token, &path).await.is_problem(403, "token_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_cdn_opens_nothing_on_another() {
    let mut bed = Bed::new().await;
    let ring = |hosts: &str, id: &str| {
        let secret = hex::encode(id.repeat(8));
        format!(
            "[[cdn]]\nhosts = ['{hosts}']\ndialect = 'EDGE_AUTH'\n[[cdn.keys]]\nid = '{id}'\nsecret = '{secret}'\n"
        )
    };
    let text = [ring("one.example", "one-1"), ring("*.two.example", "two-1")].concat();
    let keys = KeysFile::with(&text);
    keys.is_used_by(&mut bed);
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    movie.source.as_mut().expect("a source").url =
        format!("https://one.example{}", movie.playlist_path());
    bed.show(&api, &mut movie).await;
    let issued = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
    let (token, path) = (token_of(&issued), movie.playlist_path());
    let asked = async |host: &str| {
        let headers =
            [("X-Stream-Token", &*token), ("X-Original-Path", &path), ("X-Original-Host", host)];
        api.client.get_with(VERIFY, &headers).await
    };
    for host in ["one.example", "One.Example"] {
        assert_eq!(asked(host).await.status, 204, "{host}");
    }
    for host in ["a.two.example", "two.example", "elsewhere.example", "_", "one.example:8443"] {
        asked(host).await.is_problem(403, "token_refused");
    }
    // An edge that does not say whose it is.
    assert_eq!(verify(&api, &token, &path).await.status, 204);
}
