//! The comparison before the swap: planted differences are named, and nothing is swapped.

use super::stand::{assert_whole, rebuild, rebuilt_to};
use crate::{auditing::world::World, model};

#[tokio::test(flavor = "multi_thread")]
async fn planted_differences_are_named_and_nothing_is_swapped() {
    let world = World::settled().await;
    let movie_id: String = sqlx::query_scalar(
        "SELECT CONVERT(movie_id USING utf8mb4) FROM catalog_movies WHERE position = 9",
    )
    .fetch_one(&world.bed.pool)
    .await
    .unwrap();
    let of = |text: &str| text.replace("MOVIE", &movie_id);
    for (plant, restore, named) in [
        (
            "UPDATE catalog_movies SET title = 'FILM 0, AGAIN' WHERE movie_id = 'MOVIE'",
            "UPDATE catalog_movies SET title = 'Film 0, again' WHERE movie_id = 'MOVIE'",
            "catalog_movies, movie MOVIE: title",
        ),
        (
            "UPDATE catalog_movies SET kafka_partition = 7 + kafka_partition
             WHERE movie_id = 'MOVIE'",
            "UPDATE catalog_movies SET kafka_partition = kafka_partition - 7
             WHERE movie_id = 'MOVIE'",
            "catalog_movies, movie MOVIE: kafka_partition",
        ),
        (
            "UPDATE catalog_movies SET state = JSON_SET(state, '$.title', 'x')
             WHERE movie_id = 'MOVIE'",
            "UPDATE catalog_movies SET state = JSON_SET(state, '$.title', 'Film 0, again')
             WHERE movie_id = 'MOVIE'",
            "catalog_movies, movie MOVIE: state",
        ),
        (
            "UPDATE catalog_genres SET genre = 'drama' WHERE ordinal = 0 AND movie_id = 'MOVIE'",
            "UPDATE catalog_genres SET genre = 'Drama' WHERE ordinal = 0 AND movie_id = 'MOVIE'",
            "catalog_genres, movie MOVIE, row 0: genre",
        ),
        (
            "INSERT INTO catalog_genres VALUES ('MOVIE', 'Surplus', 5)",
            "DELETE FROM catalog_genres WHERE genre = 'Surplus'",
            "catalog_genres, movie MOVIE, row 5: only in the live table",
        ),
        (
            "UPDATE catalog_stream_sources SET facts = JSON_SET(facts, '$.variant_count', 9)
             WHERE movie_id = 'MOVIE'",
            "UPDATE catalog_stream_sources SET facts = JSON_SET(facts, '$.variant_count', 2)
             WHERE movie_id = 'MOVIE'",
            "catalog_stream_sources, movie MOVIE, row 0: facts",
        ),
        (
            "UPDATE movie_history SET actor = 'nobody' WHERE movie_id = 'MOVIE' AND version = 4",
            "UPDATE movie_history SET actor = (SELECT actor FROM
             (SELECT actor FROM movie_history WHERE movie_id = 'MOVIE' AND version = 3) AS x)
             WHERE movie_id = 'MOVIE' AND version = 4",
            "movie_history, movie MOVIE, row 4: actor",
        ),
    ] {
        world.tamper(&of(plant)).await;
        let ended = rebuild(&world.bed, &["--restart"]).await;
        ended.assert_failed(1, &of(&format!("first difference: {named}")));
        assert!(!ended.stderr.contains("\ndifference: "), "only this one: {}", ended.stderr);
        assert!(ended.stderr.contains("nothing was swapped"), "{}", ended.stderr);
        world.tamper(&of(restore)).await;
        assert_whole(&world).await;
    }
    rebuild(&world.bed, &[]).await.assert_done();
    assert_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_missing_or_late_are_named_and_yes_swaps_all_the_same() {
    let mut world = World::settled().await;
    world.tamper("CREATE TABLE aside AS SELECT * FROM catalog_movies WHERE position = 18").await;
    world.tamper("DELETE FROM catalog_movies WHERE position = 18").await;
    world.tamper("DELETE FROM movie_history WHERE position = 20").await;
    let movie_id = world.log.movies()[5];
    let behind = format!("UPDATE catalog_movies SET version = 8 WHERE movie_id = '{movie_id}'");
    world.tamper(&behind).await;
    let ended = rebuild(&world.bed, &[]).await;
    ended.assert_failed(1, "first difference: ");
    let missing = world.log.movies()[1];
    for named in [
        format!("movie {missing}: the live rows lack position 10"),
        "row 2: missing in the live table".to_owned(),
        // As of version 8, the title was another.
        format!("movie {movie_id}: the live rows lack position 54"),
        format!("movie {movie_id}, as of its live version: "),
    ] {
        assert!(ended.stderr.contains(&named), "{named}: {}", ended.stderr);
    }
    assert_eq!(rebuilt_to(&world.bed).await, Some(82));

    // It goes on from there with what came meanwhile, and mends all of it.
    let running = world.start();
    world.log.live_a_life("Meanwhile");
    world.append().await;
    world.relay_all(83..=91).await;
    world.bed.wait_for_version(*world.log.movies().last().unwrap(), 9).await;
    let ended = rebuild(&world.bed, &["--yes"]).await;
    ended.assert_done();
    assert!(ended.stderr.contains("goes on"), "{}", ended.stderr);
    running.stop().await;
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_table_that_is_behind_is_compared_as_of_its_versions() {
    let mut world = World::settled().await;
    // In the log, and not in Kafka yet.
    for movie_id in world.log.movies().into_iter().take(4) {
        world.log.revise_genres(movie_id, &["Comedy"]);
    }
    world.log.live_a_life("On its way");
    world.append().await;
    let ended = rebuild(&world.bed, &["--no-swap"]).await;
    ended.assert_done();
    assert!(ended.stderr.contains("the live rows are the same"), "{}", ended.stderr);

    let movie_id = world.log.movies()[2];
    let tampered =
        format!("UPDATE catalog_caption_tracks SET format = 'TTML' WHERE movie_id = '{movie_id}'");
    world.tamper(&tampered).await;
    let ended = rebuild(&world.bed, &["--no-swap"]).await;
    let text = format!("movie {movie_id}, as of its live version: catalog_caption_tracks");
    ended.assert_failed(1, &text);
}
