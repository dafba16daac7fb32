//! What is rebuilt is what the log adds up to, and the live projection goes on with it.

use marquee_domain::MovieCommand;

use super::stand::{assert_whole, generations, rebuild, run, start, status, wait_until_rebuilt_to};
use crate::{auditing::world::World, command_line, model};

#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_tables_equal_a_fold_of_the_log_and_are_gone_on_with() {
    let mut world = World::settled().await;
    let before = generations(&world.bed).await;
    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_done();
    assert!(ended.stderr.contains("the live rows are the same"), "{}", ended.stderr);
    assert_whole(&world).await;
    let raised: Vec<u64> = before.iter().map(|generation| generation + 1).collect();
    assert_eq!(generations(&world.bed).await, raised);

    // News of movies that were rebuilt, and of new ones.
    let running = world.start();
    let movies = world.log.movies();
    world.log.retitle(movies[0], "After the rebuild");
    world.log.command(movies[1], MovieCommand::Remove);
    world.log.live_a_life("New");
    let first_new = 83;
    world.append().await;
    world.relay_all(first_new..=world.head()).await;
    world.wait_until_projected().await;
    assert_whole(&world).await;

    // Again, and while a projector runs.
    rebuild(&world.bed, &[]).await.assert_done();
    running.stop().await;
    assert_whole(&world).await;
    assert_eq!(world.bed.count("SELECT COUNT(*) FROM parked_events").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_catalog_and_one_that_was_never_projected_are_rebuilt() {
    let mut world = World::new().await;
    rebuild(&world.bed, &[]).await.assert_done();
    world.log.live_a_life("Alone");
    world.append().await;
    // Nothing of it is in Kafka: the live rows are not late, and viewers have it sooner.
    rebuild(&world.bed, &[]).await.assert_done();
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));
    // What Kafka brings later was applied already.
    let running = world.start();
    world.relay_all(1..=world.head()).await;
    world.log.live_a_life("After");
    world.append().await;
    world.relay_all(10..=world.head()).await;
    world.wait_until_projected().await;
    running.stop().await;
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_how_far_it_is() {
    let world = World::settled().await;
    assert_eq!(status(&world.bed).await["rebuild"]["progress"], serde_json::Value::Null);
    let slow = start(&world.bed, &["rebuild", "catalog", "--throttle", "4"]);
    wait_until_rebuilt_to(&world.bed, 2).await;
    let told = status(&world.bed).await["rebuild"].clone();
    assert_eq!(told["running"], true, "{told}");
    let position = told["progress"]["position"].as_u64().expect("a position");
    assert!((2..82).contains(&position), "{told}");
    assert_eq!(told["progress"]["log_head"], 82);
    let people = command_line::run(&world.bed, &["status"]).await;
    assert!(command_line::text(&people.stdout).contains("runs; position"));
    super::stand::kill(&world.bed, slow).await;

    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_done();
    // No terminal: lines, and nothing that moves a cursor.
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains('\r'), "{}", ended.stderr);
    let told = status(&world.bed).await["rebuild"].clone();
    assert_eq!(told["progress"], serde_json::Value::Null);
    assert!(told["rollback_from"].is_u64(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    for arguments in [
        &["rebuild"][..],
        &["rebuild", "audit"],
        &["rebuild", "catalog", "--throttle", "0"],
        &["rebuild", "catalog", "--yes", "--no-swap"],
        &["rollback"],
    ] {
        assert_eq!(run(&world.bed, arguments).await.code, 2, "{arguments:?}");
    }
}
