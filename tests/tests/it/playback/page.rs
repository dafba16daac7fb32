//! The example player (`infra/player`) in a real browser: it plays, and goes on playing with renewed tokens.

use std::fs;

use marquee_tests::{browser::Browser, samples, servers::binaries, summary::say, until};
use serde_json::{Value, json};

use super::{viewer_of, with_ttl};

/// Long enough for a request to arrive in time on a busy machine, and renewed within the test.
const TTL_SECONDS: u32 = 8;

/// What the page tells of itself.
const LOOK: &str = "
    const { video, seen } = window.marquee ?? {};
    if (!video) return null;
    return {
        position: video.currentTime,
        frames: video.getVideoPlaybackQuality().totalVideoFrames,
        captions: [...video.textTracks].flatMap((track) => [...(track.activeCues ?? [])].map((cue) => cue.text)),
        requests: seen.requests,
        tokens: seen.tokens.size,
        refused: seen.refused,
        error: seen.error,
    };";

#[tokio::test]
async fn a_page_with_hls_js_plays_on_through_renewals_and_nothing_is_refused() {
    let marquee = with_ttl(TTL_SECONDS).await;
    let media = marquee.media();
    let mut film = samples::playable_movie(&samples::title("In a browser"), &media);
    film["duration_minutes"] = json!(120);
    film["stream_sources"][0]["stream_url"] = json!(format!("{media}/media/feature/master.m3u8"));
    let movie = marquee.admin().create(&film).await;
    let _ = viewer_of(&marquee, &movie).await;

    let library = marquee.edge().content().join("player/hls.min.mjs");
    assert!(library.is_file(), "hls.js is not there: run `make test`, which fetches it");
    let browser = Browser::start().await;
    // Twice as fast, and little ahead: so it asks for something every few seconds.
    let (api, id) = (marquee.query_api.url(), &movie.id);
    browser.open(&format!("{media}/player/?movie={id}&api={api}&rate=2&buffer=6")).await;
    let seen = until("it has played on with its third token", async || {
        let seen = browser.ask(LOOK).await;
        assert_eq!(seen["error"], Value::Null, "{seen}\n{}", marquee.edge().log());
        let played = seen["position"].as_f64() > Some(15.0) && seen["tokens"].as_u64() >= Some(3);
        (played && seen["captions"] != json!([])).then_some(seen)
    })
    .await;
    let picture = binaries().join("marquee-tests/player.png");
    fs::write(&picture, browser.screenshot().await).expect("a file can be written below target/");
    let later = until("it plays on", async || {
        let later = browser.ask(LOOK).await;
        (later["position"].as_f64() > seen["position"].as_f64()).then_some(later)
    })
    .await;
    browser.close().await;

    assert!(later["frames"].as_u64() > Some(50), "{later}");
    assert_eq!(later["refused"], json!([]), "{later}");
    // Not only what the page tells: the edge refused nobody.
    let log = marquee.edge().log();
    let requests: Vec<&str> = log.lines().filter(|line| line.contains(" GET /hdnts=-")).collect();
    assert!(requests.len() >= 6, "{log}");
    assert!(requests.iter().all(|line| line.split(' ').nth(4) == Some("200")), "{log}");
    say(&format!(
        "player: {} s of film in Chromium, {} requests with {} tokens, none refused; {}",
        later["position"],
        requests.len(),
        later["tokens"],
        picture.display(),
    ));
}
