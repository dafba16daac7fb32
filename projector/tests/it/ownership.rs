//! Restarts, several projectors, and zombies: the checkpoint in MySQL decides.

use crate::{
    bed::{Bed, wait_until},
    model,
    samples::Log,
};

#[tokio::test]
async fn a_restarted_projector_goes_on_at_its_checkpoint() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    let running = bed.start();
    let movie_id = log.live_a_life("Playtime");
    bed.publish_events(&log.events[..4]).await;
    bed.wait_for_version(movie_id, 4).await;
    running.stop().await;
    bed.publish_events(&log.events[4..]).await;
    let running = bed.start();
    bed.wait_for_version(movie_id, 9).await;
    running.stop().await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
}

#[tokio::test]
async fn mysqls_checkpoint_counts_and_not_the_brokers() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    let running = bed.start();
    let movie_id = log.live_a_life("Rashomon");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 9).await;
    running.stop().await;
    // All is read again, though the broker knows better, and everything is rebuilt.
    for table in [
        "catalog_movies",
        "catalog_genres",
        "catalog_stream_sources",
        "catalog_caption_tracks",
        "movie_history",
    ] {
        sqlx::query(&format!("DELETE FROM {table}")).execute(&bed.pool).await.unwrap();
    }
    sqlx::query("UPDATE projection_checkpoints SET next_offset = 0")
        .execute(&bed.pool)
        .await
        .unwrap();
    let running = bed.start();
    bed.wait_for_version(movie_id, 9).await;
    running.stop().await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
}

#[tokio::test]
async fn a_zombies_batch_is_dropped() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let first = log.create("First");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(first, 1).await;

    // A new owner holds the partition's checkpoint while the old one has a batch in hand ...
    let mut new_owner = bed.pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM projection_checkpoints FOR UPDATE")
        .fetch_all(&mut *new_owner)
        .await
        .unwrap();
    log.retitle(first, "First, as the zombie saw it");
    bed.publish_events(&log.events[1..]).await;
    wait_until("the zombie waits for the checkpoint", || async {
        bed.count(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST
             WHERE DB = DATABASE() AND INFO LIKE 'SELECT next_offset%FOR UPDATE'",
        )
        .await
            > 0
    })
    .await;
    // ... and has applied that batch when it lets go.
    sqlx::query(
        "UPDATE projection_checkpoints SET next_offset = next_offset + 2
         WHERE projection = 'catalog' AND position > 0",
    )
    .execute(&mut *new_owner)
    .await
    .unwrap();
    new_owner.commit().await.unwrap();

    // The zombie wrote nothing, noticed, and goes on behind what the other one did. The event log
    // fills the hole that this test made, and tells its event from the zombie's by its time.
    log.events[1].recorded_at += chrono::Duration::seconds(1);
    bed.log(&log.events).await;
    log.retitle(first, "First, at last");
    bed.publish_events(&log.events[2..]).await;
    bed.wait_for_version(first, 3).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn projectors_come_and_go_without_loss_or_double_application() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    let mut published = 0;
    let mut running = vec![bed.start()];
    for round in 0..6 {
        for n in 0..20 {
            log.live_a_life(&format!("Film {round} {n}"));
        }
        for chunk in log.events[published..].chunks(40) {
            bed.publish_events(chunk).await;
        }
        published = log.events.len();
        // One joins, and every other time the oldest leaves.
        running.push(bed.start());
        if round % 2 == 1 {
            running.remove(0).stop().await;
        }
    }
    let all = i64::try_from(log.events.len()).unwrap();
    bed.wait_for_count(all, "SELECT COUNT(*) FROM movie_history").await;
    for one in running {
        one.stop().await;
    }
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    assert_eq!(bed.count("SELECT COUNT(*) FROM parked_events").await, 0);
}
