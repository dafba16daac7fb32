//! Killed at every stage: run again, it goes on, and nothing is half done.

use secrecy::ExposeSecret;
use sqlx::{Connection, MySqlConnection};

use super::stand::{
    assert_whole, end, generations, kill, rebuild, rebuilt_to, rollback, start,
    wait_until_rebuilt_to, wait_until_waits,
};
use crate::{auditing::world::World, bed::wait_until};

async fn connect(world: &World) -> MySqlConnection {
    MySqlConnection::connect(world.bed.settings.mysql.url.expose_secret())
        .await
        .expect("MySQL is up")
}

async fn execute(connection: &mut MySqlConnection, sql: &str) {
    sqlx::raw_sql(sql).execute(connection).await.expect("it is executed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_fills_it_goes_on_where_it_was() {
    let world = World::settled().await;
    let mut reached = 0;
    for _ in 0..4 {
        let running = start(&world.bed, &["rebuild", "catalog", "--throttle", "40"]);
        wait_until_rebuilt_to(&world.bed, reached + 5).await;
        kill(&world.bed, running).await;
        let position = rebuilt_to(&world.bed).await.expect("what was rebuilt is there");
        assert!(position >= reached + 5, "it began anew: {position} after {reached}");
        reached = position;
    }
    assert!(reached < 82, "it was killed before its end");
    // Asked to stop, it says how to go on.
    let running = start(&world.bed, &["rebuild", "catalog", "--throttle", "10"]);
    wait_until_rebuilt_to(&world.bed, reached + 1).await;
    let pid = running.id().expect("it runs").to_string();
    let asked = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(asked.success());
    end(running).await.assert_failed(1, "run it again to go on");

    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_done();
    assert!(ended.stderr.contains("goes on"), "{}", ended.stderr);
    assert_eq!(rebuilt_to(&world.bed).await, None);
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_not_made_to_the_end_are_made_anew() {
    let world = World::settled().await;
    for sql in [
        "CREATE TABLE catalog_movies_rebuild LIKE catalog_movies",
        "CREATE TABLE catalog_genres_rebuild LIKE catalog_genres",
        "INSERT INTO catalog_genres_rebuild VALUES ('of nobody', 'Left behind', 1)",
        // Left behind by a run that was killed after its swap.
        "CREATE TABLE movie_history_retired LIKE movie_history",
        "CREATE TABLE catalog_contents_retired LIKE catalog_contents",
    ] {
        sqlx::query(sql).execute(&world.bed.pool).await.unwrap();
    }
    rebuild(&world.bed, &[]).await.assert_done();
    assert_whole(&world).await;
    rebuild(&world.bed, &["--no-swap"]).await.assert_done();
    // A migration came between.
    sqlx::query("ALTER TABLE catalog_movies ADD COLUMN news INT NULL")
        .execute(&world.bed.pool)
        .await
        .unwrap();
    rollback(&world.bed).await.assert_failed(2, "a migration has changed the tables since");
    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_done();
    assert!(!ended.stderr.contains("goes on"), "{}", ended.stderr);
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_waits_for_the_tables_nothing_was_swapped() {
    let mut world = World::settled().await;
    let mut reader = connect(&world).await;
    execute(&mut reader, "START TRANSACTION; SELECT COUNT(*) FROM catalog_movies").await;
    let running = start(&world.bed, &["rebuild", "catalog"]);
    wait_until_waits(&world.bed, "LOCK TABLES").await;
    kill(&world.bed, running).await;
    execute(&mut reader, "COMMIT").await;
    let before = generations(&world.bed).await;

    let live = world.start();
    world.log.live_a_life("Goes on");
    world.append().await;
    world.relay_all(83..=world.head()).await;
    world.wait_until_projected().await;
    assert_eq!(generations(&world.bed).await, before);
    assert!(rebuilt_to(&world.bed).await.is_some());
    rebuild(&world.bed, &[]).await.assert_done();
    live.stop().await;
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_holds_the_tables_it_lets_go_of_them() {
    let mut world = World::settled().await;
    let live = world.start();
    let (mut reader, mut head) = (connect(&world).await, connect(&world).await);
    execute(&mut reader, "START TRANSACTION; SELECT COUNT(*) FROM catalog_movies").await;
    let running = start(&world.bed, &["rebuild", "catalog"]);
    wait_until_waits(&world.bed, "LOCK TABLES").await;
    // It will have its locks, and then wait for the log's head.
    execute(&mut head, "LOCK TABLES event_log_head WRITE").await;
    execute(&mut reader, "COMMIT").await;
    wait_until_waits(&world.bed, "SELECT position FROM event_log_head").await;
    let mut checkpoints = connect(&world).await;
    execute(&mut checkpoints, "SET SESSION lock_wait_timeout = 1").await;
    let locked = sqlx::query("SELECT * FROM projection_checkpoints").fetch_all(&mut checkpoints);
    assert!(locked.await.is_err(), "the tables are locked");
    kill(&world.bed, running).await;
    execute(&mut head, "UNLOCK TABLES").await;

    wait_until("the locks are gone", || async {
        sqlx::query("SELECT * FROM projection_checkpoints").fetch_all(&world.bed.pool).await.is_ok()
    })
    .await;
    world.log.live_a_life("Goes on");
    world.append().await;
    world.relay_all(83..=world.head()).await;
    world.wait_until_projected().await;
    assert!(rebuilt_to(&world.bed).await.is_some(), "nothing was swapped");
    rebuild(&world.bed, &[]).await.assert_done();
    live.stop().await;
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stood_still_and_was_replaced_writes_nothing() {
    let world = World::settled().await;
    let paused = start(&world.bed, &["rebuild", "catalog", "--throttle", "10"]);
    wait_until_rebuilt_to(&world.bed, 3).await;
    let pid = paused.id().expect("it runs").to_string();
    let signal = async |signal: &str| {
        let sent =
            tokio::process::Command::new("kill").args([signal, &pid]).status().await.unwrap();
        assert!(sent.success());
    };
    signal("-STOP").await;
    // Its lease expires.
    let ended = rebuild(&world.bed, &["--no-swap"]).await;
    ended.assert_done();
    assert_eq!(rebuilt_to(&world.bed).await, Some(82));
    signal("-CONT").await;
    end(paused).await.assert_failed(1, "has taken over");
    rebuild(&world.bed, &[]).await.assert_done();
    assert_whole(&world).await;
}
