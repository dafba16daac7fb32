//! A film of two hours, with tokens that live as long to it as five minutes do to a viewer.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use marquee_infra::clock;
use marquee_tests::{
    Answer, Marquee,
    player::{Ticket, Viewer, entries, renditions},
    samples,
    summary::say,
    until,
};
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::{VERIFY, calls, viewer_of, with_ttl};

const FILM_SECONDS: f64 = 7200.0;
/// Of the film in one of ours.
const SPEED: f64 = 200.0;
const TTL_SECONDS: u32 = 8;

/// Plays in order, each segment when its time has come, and renews its token as it is told.
struct Player<'a> {
    viewer: &'a Viewer,
    content: &'a Path,
    ticket: Ticket,
    /// Of all tokens that were used.
    tokens: BTreeSet<String>,
    requests: usize,
    overlaps: usize,
}

impl Player<'_> {
    /// The address with the token of now. The old one still opens it when a new one is there: a player has requests
    /// under way.
    async fn fetch(&mut self, url: &Url) -> Answer {
        if clock::now() >= self.ticket.refresh_after {
            let next = self.viewer.renewed(&self.ticket).await;
            assert_ne!(next.token_id, self.ticket.token_id, "it is due");
            assert!(next.expires_at > self.ticket.expires_at, "{next:?}");
            let old = self.ticket.readdressed(url);
            if clock::now() < self.ticket.expires_at - chrono::TimeDelta::seconds(1) {
                let answer = self.viewer.get(&old).send().await.expect(200);
                assert_eq!(answer.body, self.served(url));
                self.overlaps += 1;
            }
            self.ticket = next;
        }
        self.tokens.insert(self.ticket.token_id.clone());
        self.requests += 1;
        let answer = self.viewer.get(&self.ticket.readdressed(url)).send().await.expect(200);
        assert_eq!(answer.body, self.served(url), "{url}");
        answer
    }

    /// What the edge has of it on its disk.
    fn served(&self, url: &Url) -> Vec<u8> {
        let (_, path) = url.path()[1..].split_once('/').expect("something follows the token");
        fs::read(self.content.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

#[tokio::test]
async fn a_film_of_two_hours_plays_to_its_end_on_tokens_of_minutes() {
    let marquee = with_ttl(TTL_SECONDS).await;
    let media = marquee.media();
    let mut film = samples::playable_movie(&samples::title("Feature"), &media);
    film["duration_minutes"] = json!(120);
    film["stream_sources"][0]["stream_url"] = json!(format!("{media}/media/feature/master.m3u8"));
    let movie = marquee.admin().create(&film).await;
    let (viewer, ticket) = viewer_of(&marquee, &movie).await;
    let content = marquee.edge().content();
    let (first, verified) = (ticket.clone(), calls(&marquee, VERIFY).await);
    let mut player = Player {
        viewer: &viewer,
        content: &content,
        ticket,
        tokens: BTreeSet::new(),
        requests: 0,
        overlaps: 0,
    };

    let master = player.fetch(&first.master.clone()).await;
    let variants = entries(&master, &first.master);
    let captions = renditions(&master, &first.master);
    assert_eq!((variants.len(), captions.len()), (2, 1), "{master:?}");
    let mut timelines = Vec::new();
    for playlist in [&variants[1].0, &captions[0]] {
        let text = player.fetch(playlist).await;
        assert!(text.text().trim_end().ends_with("#EXT-X-ENDLIST"), "{playlist} is whole");
        timelines.push(entries(&text, playlist));
    }
    let [segments, captions] = timelines.try_into().expect("two playlists");
    assert_eq!((segments.len(), captions.len()), (1200, 120));

    let begun = Instant::now();
    let (mut position, mut captions, mut captioned) = (0.0, captions.into_iter(), 0.0);
    for (segment, seconds) in segments {
        sleep_until(begun + Duration::from_secs_f64(position / SPEED)).await;
        if captioned <= position {
            let (cues, seconds) = captions.next().expect("captions for all of it");
            assert!(player.fetch(&cues).await.text().starts_with("WEBVTT"));
            captioned += seconds;
        }
        let answer = player.fetch(&segment).await;
        assert_eq!(answer.header("content-type"), Some("video/mp2t"));
        position += seconds;
    }
    assert!((position - FILM_SECONDS).abs() < 1e-6, "{position}");
    assert!(captions.next().is_none());
    assert_eq!(player.requests, 3 + 1200 + 120, "every one of them once");

    let Player { tokens, overlaps, .. } = player;
    assert!(tokens.len() >= 5, "{} tokens", tokens.len());
    assert!(overlaps >= 3, "{overlaps} times the old token was still good");
    assert_eq!(viewer.get(&first.master).send().await.status, 403, "the first one is over");
    is_audited(&marquee, &movie.id, &tokens).await;
    let verified = calls(&marquee, VERIFY).await - verified;
    say(&format!(
        "film: 2 h in {:.0} s, 1323 requests with {} tokens, none refused, {verified} verifications",
        begun.elapsed().as_secs_f64(),
        tokens.len(),
    ));
    // One for each token, and one for an old one where the edge forgot it. The first one's end is verified as well.
    assert!(verified <= 2 * tokens.len() as u64 + 2, "{verified} for {} tokens", tokens.len());
}

async fn is_audited(marquee: &Marquee, movie_id: &str, tokens: &BTreeSet<String>) {
    let audited = format!("SELECT COUNT(*) FROM stream_token_audit WHERE movie_id = '{movie_id}'");
    let all = tokens.len() as u64;
    until("every token is in the audit", async || {
        (marquee.database.number(&audited).await == all).then_some(())
    })
    .await;
}
