//! Repairs, and what an audit says after them.

use super::world::{Outgoing, World};
use crate::{catalog_topic::topic, model};

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_lacks_is_added_and_the_next_audit_says_so() {
    let mut world = World::new().await;
    for n in 0..4 {
        world.log.live_a_life(&format!("Film {n}"));
    }
    world.append().await;
    let events = world.recorded(1..=36).await;
    let lost = |position: u64| (7..=9).contains(&position) || position == 20 || position == 30;
    let records = events.iter().filter(|event| !lost(event.position)).map(Outgoing::of);
    world.relay(records.collect(), 36).await;
    let running = world.start();
    // What comes after a hole fills it; the first movie's last three events are nowhere.
    world.bed.wait_for_count(33, "SELECT COUNT(*) FROM movie_history").await;
    let missing = vec![(7, 9), (20, 20), (30, 30)];
    let audit = world.audit(&[]).await;
    assert_eq!(audit.found()[0], ("kafka_missing", missing.clone()), "{}", audit.report);

    let audit = world.audit(&["--repair"]).await;
    assert_eq!(audit.code, 2, "{}", audit.stderr);
    assert!(audit.stderr.contains("later events") && audit.stderr.contains("--yes"));
    let audit = world.audit(&[]).await;
    assert_eq!(audit.found()[0], ("kafka_missing", missing), "nothing was changed");

    // A range, then all.
    let audit = world.audit(&["--repair", "--from", "15", "--to", "25"]).await;
    assert_eq!(audit.found(), [("kafka_missing", vec![(20, 20)])]);
    assert!(audit.stderr.contains("1 events were added"), "{}", audit.stderr);
    let audit = world.audit(&["--repair", "--yes"]).await;
    assert_eq!(audit.found()[0], ("kafka_missing", vec![(7, 9), (30, 30)]));
    assert!(audit.stderr.contains("4 events were added"), "{}", audit.stderr);

    world.wait_until_projected().await;
    let audit = world.audit(&["--repair", "--yes"]).await;
    audit.assert_clean();
    assert!(audit.report["notes"].to_string().contains("5 records were added by repairs"));
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));
    topic::wait_for_view(&world.bed, &world.bed.topics.catalog, &topic::expected(&world.log)).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_documents_are_made_anew() {
    let world = World::settled().await;
    world.tamper("UPDATE catalog_movies SET title = 'Tampered' WHERE position = 9").await;
    world.tamper("DELETE FROM catalog_movies WHERE position = 18").await;
    world.tamper("DELETE FROM movie_history WHERE position = 20").await;
    world.tamper("UPDATE catalog_caption_tracks SET is_default = 1 - is_default").await;
    world
        .tamper(
            "INSERT INTO catalog_movies SELECT UUID(), title, CONCAT(slug, '-x'), synopsis, genres,
                 duration_minutes, availability_start, availability_end, visibility, poster_url,
                 created_at, created_by, updated_at, updated_by, removed, version, position,
                 kafka_partition, state FROM catalog_movies WHERE position = 36",
        )
        .await;
    let first = world.log.movies()[5].to_string();
    let published = topic::read_aside(&world.bed, &world.bed.topics.catalog);
    let one = published.iter().find(|one| one.key == first).expect("it is published");
    let record = Outgoing {
        key: Some(first),
        headers: one.about.to_headers(),
        value: b"{\"title\": \"Tampered\"}".to_vec(),
        partition: None,
    };
    world.publish_to(&world.bed.topics.catalog, vec![record], Vec::new()).await;
    let audit = world.audit(&["--repair", "--yes"]).await;
    let kinds: Vec<&str> = audit.found().iter().map(|(kind, _)| *kind).collect();
    for kind in ["row_missing", "row_surplus", "row_differs", "history_missing", "document_differs"]
    {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));
    world.audit(&[]).await.assert_clean();
    let running = world.start();
    topic::wait_for_view(&world.bed, &world.bed.topics.catalog, &topic::expected(&world.log)).await;
    world.wait_until_published().await;
    running.stop().await;
    world.audit(&[]).await.assert_clean();
}
