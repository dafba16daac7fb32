//! When the edge shuts: no later than the token, or the movie, ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_infra::clock;
use marquee_tests::{
    Marquee,
    player::{Ticket, Viewer},
    summary::say,
    until,
};
use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};

use super::{VALIDITY, VALIDITY_LIFE, viewer_of, with_ttl};

/// A little less than a player does that seeks wildly.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(5);

/// A request that was sent, and answered.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    begun: DateTime<Utc>,
    answered: DateTime<Utc>,
    status: u16,
}

async fn attempt(viewer: &Viewer, ticket: &Ticket) -> Attempt {
    let begun = clock::now();
    let status = viewer.get(&ticket.master).send().await.status;
    Attempt { begun, answered: clock::now(), status }
}

/// Goes on asking until it is told to stop, and tells of all attempts.
fn insist(viewer: &Viewer, ticket: &Ticket) -> (Arc<AtomicBool>, JoinHandle<Vec<Attempt>>) {
    let (viewer, ticket, stop) = (viewer.clone(), ticket.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let attempts = tokio::spawn(async move {
        let mut attempts = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            attempts.push(attempt(&viewer, &ticket).await);
            sleep(BETWEEN_REQUESTS).await;
        }
        attempts
    });
    (stop, attempts)
}

async fn validity(marquee: &Marquee) -> String {
    let answer = marquee.queries().get(VALIDITY).send().await.expect(204);
    answer.header("x-token-validity").expect("the validity").to_owned()
}

/// The edge's part of the second that a hidden movie may still be played: it is shut half a second after query-api
/// knows, whatever it had kept.
async fn is_shut_by(marquee: &Marquee, what: &str, change: impl AsyncFnOnce(&str)) {
    let movie = marquee.admin().create_playable(what).await;
    let (viewer, ticket) = viewer_of(marquee, &movie).await;
    assert_eq!(attempt(&viewer, &ticket).await.status, 200);
    let before = validity(marquee).await;
    let (stop, attempts) = insist(&viewer, &ticket);

    let sent = clock::now();
    change(&movie.id).await;
    let acknowledged = clock::now();
    until("query-api knows", async || (validity(marquee).await != before).then_some(())).await;
    let known = clock::now();
    until("the edge is shut", async || {
        let late = clock::now() > known + 2 * VALIDITY_LIFE;
        (late && attempt(&viewer, &ticket).await.status == 403).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let attempts = attempts.await.expect("asking does not fail");

    let limit = known + VALIDITY_LIFE;
    for attempt in &attempts {
        match attempt.status {
            200 => assert!(attempt.begun < limit, "{what}: {attempt:?} was served after {limit}"),
            403 => {
                assert!(attempt.answered > sent, "{what}: {attempt:?} was refused before {sent}");
            }
            _ => panic!("{what}: {attempt:?}"),
        }
    }
    let first = attempts.iter().find(|attempt| attempt.status == 403).expect("it was refused");
    let after = (first.answered - acknowledged).num_milliseconds();
    say(&format!("edge: {what}, refused {after} ms after the command was acknowledged"));
}

#[tokio::test]
async fn a_hidden_or_removed_movie_s_live_tokens_are_refused_at_once() {
    // Alone: what others show and hide would change the validity, too.
    let marquee = with_ttl(300).await;
    let commands = marquee.commands();
    is_shut_by(&marquee, "Hidden", async |id| {
        let hide = commands.put(&format!("/v1/movies/{id}/visibility"));
        let _ = hide.json(&json!({ "visibility": "HIDDEN" })).send().await.expect(200);
    })
    .await;
    is_shut_by(&marquee, "Removed", async |id| {
        let _ = commands.delete(&format!("/v1/movies/{id}")).send().await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn a_token_opens_until_the_second_it_expires_and_not_longer() {
    let marquee = with_ttl(3).await;
    let movie = marquee.admin().create_playable("Expiry").await;
    let (viewer, ticket) = viewer_of(&marquee, &movie).await;
    let (mut opened, mut refused) = (0, 0);
    while refused < 5 {
        let attempt = attempt(&viewer, &ticket).await;
        let Ticket { expires_at, .. } = ticket;
        match attempt.status {
            200 => assert!(attempt.begun < expires_at, "{attempt:?} after {expires_at}"),
            403 => assert!(attempt.answered >= expires_at, "{attempt:?} before {expires_at}"),
            _ => panic!("{attempt:?}"),
        }
        *(if attempt.status == 200 { &mut opened } else { &mut refused }) += 1;
        sleep(BETWEEN_REQUESTS).await;
    }
    assert!(opened > 10, "{opened}");
    let next = viewer.renewed(&ticket).await;
    assert_ne!(next.token_id, ticket.token_id);
    assert_eq!(attempt(&viewer, &next).await.status, 200);
}

#[tokio::test]
async fn without_query_api_nothing_is_served_whatever_was_known() {
    let marquee = with_ttl(300).await;
    let movie = marquee.admin().create_playable("Alone").await;
    let (viewer, ticket) = viewer_of(&marquee, &movie).await;
    assert_eq!(attempt(&viewer, &ticket).await.status, 200);
    let half = TimeDelta::from_std(VALIDITY_LIFE).expect("half a second");
    let shut = async |since: DateTime<Utc>| {
        until("the edge is shut", async || {
            let begun = clock::now();
            let answer = viewer.get(&ticket.master).send().await;
            if answer.status == 200 {
                assert!(begun < since + half, "{begun} after {since}: {answer:?}");
                return None;
            }
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
            Some(())
        })
        .await;
    };
    let answers = async || {
        until("the edge serves again", async || {
            (attempt(&viewer, &ticket).await.status == 200).then_some(())
        })
        .await;
    };

    marquee.query_api.kill();
    shut(clock::now()).await;
    marquee.query_api.start_ready().await;
    answers().await;
    // One that hangs is no better.
    marquee.query_api.pause();
    shut(clock::now()).await;
    marquee.query_api.resume();
    answers().await;
}
