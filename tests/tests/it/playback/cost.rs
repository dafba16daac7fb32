//! What a segment costs: next to nothing, for what is known of its token is kept.

use std::time::Instant;

use futures::future::join_all;
use marquee_tests::{player::entries, summary::say};

use super::{VALIDITY, VALIDITY_LIFE, VERIFY, calls, viewer_of, with_ttl};

#[tokio::test]
async fn a_token_is_verified_once_however_many_segments_it_opens() {
    let marquee = with_ttl(300).await;
    let movie = marquee.admin().create_playable("Cost").await;
    let (viewer, ticket) = viewer_of(&marquee, &movie).await;
    let (begun, verified, asked) =
        (Instant::now(), calls(&marquee, VERIFY).await, calls(&marquee, VALIDITY).await);

    let master = viewer.get(&ticket.master).send().await.expect(200);
    let mut segments = Vec::new();
    for (variant, _) in entries(&master, &ticket.master) {
        let playlist = viewer.get(&variant).send().await.expect(200);
        segments.extend(entries(&playlist, &variant));
    }
    assert_eq!(segments.len(), 20, "two variants of ten segments");
    for (segment, _) in segments.iter().cycle().take(100) {
        let _ = viewer.get(segment).send().await.expect(200);
    }
    let verified_now = calls(&marquee, VERIFY).await;
    assert_eq!(verified_now - verified, 1, "verifications of one token");
    let asked = calls(&marquee, VALIDITY).await - asked;
    let halves = begun.elapsed().as_millis() / VALIDITY_LIFE.as_millis() + 2;
    assert!((1..=halves).contains(&asked.into()), "{asked} in {halves} half seconds");
    say(&format!(
        "edge: 103 requests of one token cost 1 verification and {asked} questions for the validity, in {halves} half seconds"
    ));

    // Many at once, of one that it does not know yet: it asks for one of them, and hardly ever for a few.
    let another = viewer.ticket().await;
    assert_ne!(another.token_id, ticket.token_id);
    let crowd = segments.iter().cycle().take(200).map(|(segment, _)| {
        let request = viewer.get(&another.readdressed(segment));
        async move { request.send().await.expect(200) }
    });
    assert_eq!(join_all(crowd).await.len(), 200);
    let collapsed = calls(&marquee, VERIFY).await - verified_now;
    assert!((1..=10).contains(&collapsed), "{collapsed} verifications for 200 requests at once");
}
