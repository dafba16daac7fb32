//! Movies whose events can't be applied: by the consumers (parked), or by anybody.

use super::stand::{rebuild, rollback};
use crate::{
    auditing::world::{Outgoing, World},
    command_line, model,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_movie_is_expected_to_differ_and_is_healed() {
    let mut world = World::new().await;
    let parked = world.log.live_a_life("Parked");
    world.log.live_a_life("Well");
    world.append().await;
    let running = world.start();
    let events = world.recorded(1..=18).await;
    let mut records: Vec<Outgoing> = events.iter().map(Outgoing::of).collect();
    // What Kafka has is no JSON; what the log has is.
    records[3].value = b"{".to_vec();
    world.relay(records, 18).await;
    world.bed.wait_for_count(6, "SELECT COUNT(*) FROM parked_events").await;
    world.bed.wait_for_count(12, "SELECT COUNT(*) FROM movie_history").await;

    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_done();
    assert!(ended.stderr.contains("1 movies have parked events"), "{}", ended.stderr);
    assert!(ended.stderr.contains("the live rows are the same"), "{}", ended.stderr);
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));

    // What is parked was applied by the rebuild; it is not applied twice.
    let output = command_line::run(&world.bed, &["parked", "retry", "--all"]).await;
    let told = command_line::text(&output.stdout);
    // The record is as bad as it was: it is given up, the rest with it.
    assert!(told.contains("6 tried again"), "{told}");
    let output = command_line::run(&world.bed, &["parked", "discard", "--all"]).await;
    assert!(output.status.success());
    world.log.retitle(parked, "Healed");
    world.append().await;
    world.relay_all(19..=19).await;
    world.bed.wait_for_version(parked, 10).await;
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));

    // What was live before the rebuild has the movie at version 3: nobody is taken back to that.
    rollback(&world.bed).await.assert_done();
    running.stop().await;
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_that_the_log_breaks_stays_at_its_last_good_version() {
    let mut world = World::new().await;
    let broken = world.log.live_a_life("Broken");
    world.log.live_a_life("Well");
    world.append().await;
    let good = world.recorded(1..=18).await;
    world
        .tamper("UPDATE events SET event_type = 'marquee.movie.MovieFilmed.v1' WHERE position = 4")
        .await;
    let running = world.start();
    world.relay_all(1..=18).await;
    world.bed.wait_for_count(12, "SELECT COUNT(*) FROM movie_history").await;
    world.bed.wait_for_count(6, "SELECT COUNT(*) FROM parked_events").await;

    // At every page length: the break is in the middle of a page, and between pages.
    for arguments in [&["--no-swap"][..], &["--no-swap", "--restart", "--throttle", "40"]] {
        let ended = rebuild(&world.bed, arguments).await;
        ended.assert_done();
        let text = format!("movie {broken} stays at version 3: ");
        assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    }
    rebuild(&world.bed, &[]).await.assert_done();
    assert_eq!(
        world.bed.count("SELECT COUNT(*) FROM movie_history").await,
        12,
        "nothing of what comes after the break is shown"
    );
    running.stop().await;

    // Where the live row knows more than the log can tell, it stays.
    sqlx::query("DELETE FROM parked_events").execute(&world.bed.pool).await.unwrap();
    let running = world.start();
    let records = good[3..9].iter().map(Outgoing::of).collect();
    world.relay(records, 18).await;
    world.bed.wait_for_version(broken, 9).await;
    running.stop().await;
    for arguments in [&[][..], &["--yes"]] {
        let ended = rebuild(&world.bed, arguments).await;
        assert_eq!(ended.code, 1, "{}", ended.stderr);
    }
    let ended = rebuild(&world.bed, &["--yes"]).await;
    ended.assert_failed(1, &format!("movie {broken} is shown at version 9"));
    assert!(ended.stderr.contains("would be older than before"), "{}", ended.stderr);
    world.bed.wait_for_version(broken, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_mysql_refuses_breaks_its_movie_alone() {
    let mut world = World::new().await;
    let first = world.log.live_a_life("First");
    let second = world.log.live_a_life("Second");
    world.append().await;
    // Two movies of one slug: the log never gives it away twice.
    world
        .tamper(
            "UPDATE events SET payload = JSON_SET(payload, '$.slug', 'first') WHERE position = 10",
        )
        .await;
    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_done();
    let text = format!("movie {second} stays at version 0: ");
    assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    assert!(ended.stderr.contains("Duplicate entry 'first'"), "{}", ended.stderr);
    world.bed.wait_for_version(first, 9).await;
    assert_eq!(world.bed.count("SELECT COUNT(*) FROM movie_history").await, 9);
    assert_eq!(world.bed.count("SELECT COUNT(*) FROM catalog_movies").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lacks_events_is_not_rebuilt_from() {
    // The last event of a movie, one in the middle, the last of all.
    for hole in [9, 13, 18] {
        let mut world = World::new().await;
        world.log.live_a_life("First");
        world.log.live_a_life("Second");
        world.append().await;
        world.tamper(&format!("DELETE FROM events WHERE position = {hole}")).await;
        for arguments in [&[][..], &["--yes"], &["--restart", "--throttle", "40"]] {
            rebuild(&world.bed, arguments).await.assert_failed(1, "event log");
        }
        assert_eq!(world.bed.count("SELECT COUNT(*) FROM catalog_movies").await, 0);
    }
}
