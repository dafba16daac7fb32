//! Back to the tables of before.

use super::stand::{assert_whole, generations, kill, rebuild, rollback, start, wait_until_waits};
use crate::{auditing::world::World, model};

/// A mark that only the rows of before the rebuild have.
const MARK: &str = "UPDATE catalog_movies SET synopsis = 'of before' WHERE position = 9";
const MARKED: &str = "SELECT COUNT(*) FROM catalog_movies WHERE synopsis = 'of before'";

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_before_come_back_and_have_what_came_since() {
    let mut world = World::settled().await;
    rollback(&world.bed).await.assert_failed(2, "no tables of before");
    world.tamper(MARK).await;
    rebuild(&world.bed, &["--yes"]).await.assert_done();
    assert_eq!(world.bed.count(MARKED).await, 0);

    let live = world.start();
    let movies = world.log.movies();
    world.log.retitle(movies[3], "Since");
    world.log.live_a_life("Since");
    world.append().await;
    world.relay_all(83..=world.head()).await;
    world.wait_until_projected().await;
    assert_whole(&world).await;

    let before = generations(&world.bed).await;
    let ended = rollback(&world.bed).await;
    ended.assert_done();
    assert_eq!(world.bed.count(MARKED).await, 1, "these are the rows of before");
    world.bed.wait_for_version(movies[3], 10).await;
    let raised: Vec<u64> = before.iter().map(|generation| generation + 1).collect();
    assert_eq!(generations(&world.bed).await, raised);
    let mut expected = model::expected(&world.log);
    expected.get_mut(&movies[0].to_string()).unwrap()["synopsis"] = "of before".into();
    assert_eq!(model::actual(&world.bed).await, expected);

    // The live projection goes on with them.
    world.log.retitle(movies[4], "After the rollback");
    world.append().await;
    world.relay_all(world.head()..=world.head()).await;
    world.wait_until_projected().await;
    world.bed.wait_for_version(movies[4], 10).await;

    // And forth again.
    rollback(&world.bed).await.assert_done();
    assert_eq!(world.bed.count(MARKED).await, 0);
    live.stop().await;
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_was_killed_is_run_again() {
    let mut world = World::settled().await;
    world.tamper(MARK).await;
    rebuild(&world.bed, &["--yes"]).await.assert_done();
    world.log.live_a_life("Since");
    world.append().await;
    let reader = async |sql: &str, connection: &mut sqlx::MySqlConnection| {
        sqlx::raw_sql(sql).execute(connection).await.expect("it is executed");
    };
    let mut connection = world.bed.pool.acquire().await.unwrap();
    reader("START TRANSACTION; SELECT COUNT(*) FROM catalog_movies", &mut connection).await;
    let running = start(&world.bed, &["rollback", "catalog"]);
    wait_until_waits(&world.bed, "LOCK TABLES").await;
    kill(&world.bed, running).await;
    reader("COMMIT", &mut connection).await;
    drop(connection);
    assert_eq!(world.bed.count(MARKED).await, 0);

    rollback(&world.bed).await.assert_done();
    assert_eq!(world.bed.count(MARKED).await, 1);
    let position = "SELECT CAST(MAX(position) AS SIGNED) FROM catalog_movies";
    assert_eq!(world.bed.count(position).await, 91);
}
