//! The read models equal a pure fold of the log.

use marquee_domain::MovieCommand;

use crate::{
    bed::{Bed, Recorded},
    model,
    samples::Log,
};

#[tokio::test]
async fn a_movies_whole_life_is_in_its_rows() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Metropolis");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 9).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));

    let before = log.events.len();
    log.revise_genres(movie_id, &["Science Fiction"]);
    log.command(movie_id, MovieCommand::Remove);
    bed.publish_events(&log.events[before..]).await;
    bed.wait_for_version(movie_id, 11).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn duplicates_and_old_events_change_nothing() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let lives: Vec<_> = (0..5).map(|n| log.live_a_life(&format!("Film {n}"))).collect();
    let twice: Vec<Recorded> =
        log.events.iter().flat_map(|event| [event.clone(), event.clone()]).collect();
    bed.publish_events(&twice).await;
    bed.publish_events(&log.events[..20]).await;
    // The last record of each partition is a new event, so that all before it have been read.
    for movie_id in &lives {
        log.retitle(*movie_id, &format!("The end of {movie_id}"));
    }
    bed.publish_events(&log.events[45..]).await;
    for movie_id in &lives {
        bed.wait_for_version(*movie_id, 10).await;
    }
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    assert_eq!(bed.count("SELECT COUNT(*) FROM parked_events").await, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_hole_is_filled_from_the_event_log() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Nosferatu");
    bed.log(&log.events).await;
    bed.publish_events(&log.events[..2]).await;
    bed.wait_for_version(movie_id, 2).await;
    bed.publish_events(&log.events[7..8]).await;
    bed.wait_for_version(movie_id, 8).await;
    // What was missing comes late, and once more.
    bed.publish_events(&log.events[2..]).await;
    bed.wait_for_version(movie_id, 9).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    assert_eq!(bed.count("SELECT COUNT(*) FROM parked_events").await, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_state_written_by_another_version_is_folded_anew_from_the_log() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Sunrise");
    bed.log(&log.events).await;
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 9).await;
    sqlx::query("UPDATE catalog_movies SET state = '{\"state\": \"OF_ANOTHER_TIME\"}'")
        .execute(&bed.pool)
        .await
        .unwrap();
    log.retitle(movie_id, "Sunrise: A Song of Two Humans");
    bed.publish_events(&log.events[9..]).await;
    bed.wait_for_version(movie_id, 10).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn the_comparison_finds_planted_differences() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Vertigo");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 9).await;
    running.stop().await;
    for (plant, restore) in [
        (
            "UPDATE catalog_movies SET title = 'Vertigo'",
            "UPDATE catalog_movies SET title = 'Vertigo, again'",
        ),
        (
            "UPDATE catalog_genres SET genre = 'drama' WHERE ordinal = 0",
            "UPDATE catalog_genres SET genre = 'Drama' WHERE ordinal = 0",
        ),
        (
            "UPDATE catalog_stream_sources SET is_primary = 0",
            "UPDATE catalog_stream_sources SET is_primary = 1",
        ),
        (
            "UPDATE catalog_caption_tracks SET is_default = 1 - is_default",
            "UPDATE catalog_caption_tracks SET is_default = 1 - is_default",
        ),
        (
            "UPDATE movie_history SET actor = 'nobody' WHERE version = 3",
            "UPDATE movie_history SET actor =
                 (SELECT created_by FROM catalog_movies) WHERE version = 3",
        ),
    ] {
        assert_eq!(model::actual(&bed).await, model::expected(&log));
        sqlx::query(plant).execute(&bed.pool).await.unwrap();
        assert_ne!(model::actual(&bed).await, model::expected(&log), "{plant}");
        sqlx::query(restore).execute(&bed.pool).await.unwrap();
    }
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    sqlx::query("DELETE FROM catalog_genres LIMIT 1").execute(&bed.pool).await.unwrap();
    assert_ne!(model::actual(&bed).await, model::expected(&log));
}
