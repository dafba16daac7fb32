//! Beside projectors that apply events and readers that never stop.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use sqlx::{Connection, Row};

use super::stand::{assert_whole, generations, rebuild, rollback};
use crate::{
    auditing::world::World,
    bed::{Bed, PARTITIONS},
};

const EVENTS: u64 = 450;

/// The log grows, and the relay publishes it, a few events at a time.
async fn feed(world: &World) {
    let events = &world.log.events;
    for (from, chunk) in (1..).step_by(5).zip(events.chunks(5)) {
        world.bed.log(chunk).await;
        world.relay_all(from..=from + chunk.len() as u64 - 1).await;
    }
}

/// Reads as the query API does, as often as it can: no read fails, and none is older than one before.
async fn read_all_the_time(bed: &Bed, stop: &AtomicBool) -> u64 {
    let mut seen: HashMap<String, u64> = HashMap::new();
    let (mut reads, mut generation, mut histories) = (0, 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let mut connection = bed.pool.acquire().await.expect("a connection");
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(&mut *connection)
            .await
            .expect("it can be set");
        let mut view =
            connection.begin_with("START TRANSACTION READ ONLY").await.expect("it begins");
        let of_view = async {
            let checkpoints = sqlx::query(
                "SELECT position, generation FROM projection_checkpoints
                 WHERE projection = 'catalog'",
            )
            .fetch_all(&mut *view)
            .await?;
            let movies = sqlx::query("SELECT movie_id, version, position FROM catalog_movies")
                .fetch_all(&mut *view)
                .await?;
            view.rollback().await?;
            Ok::<_, sqlx::Error>((checkpoints, movies))
        };
        let (checkpoints, movies) = match of_view.await {
            Ok(rows) => rows,
            // The one answer that means "again": it gave way to the swap.
            Err(error) if marquee_infra::mysql::gave_way(&error) => continue,
            Err(error) => panic!("a read failed: {error}"),
        };
        let sum: u64 = checkpoints.iter().map(|row| row.get::<u64, _>("generation")).sum();
        assert!(sum >= generation, "a generation never falls");
        generation = sum;
        let mut found = 0;
        for row in movies {
            let movie_id: String = row.get_unchecked("movie_id");
            let version: u64 = row.get("version");
            let before = seen.insert(movie_id.clone(), version).unwrap_or(0);
            assert!(version >= before, "movie {movie_id} went from {before} back to {version}");
            found += 1;
        }
        assert_eq!(found, seen.len(), "no movie is gone");
        // A statement on its own, as the history is read.
        let entries = bed.count("SELECT COUNT(*) FROM movie_history").await;
        assert!(entries >= histories, "the history went from {histories} back to {entries}");
        histories = entries;
        reads += 1;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_live_events_no_read_fails_or_is_older_and_nothing_is_lost_or_applied_twice() {
    let mut world = World::new().await;
    let movies: Vec<_> = (0..10).map(|n| world.log.live_a_life(&format!("Film {n}"))).collect();
    let mut round = 0;
    while (world.log.events.len() as u64) < EVENTS {
        let movie_id = movies[round % movies.len()];
        world.log.retitle(movie_id, &format!("Film of round {round}"));
        round += 1;
    }
    let running = [world.start(), world.start()];
    let (fed, stop, swaps) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let world = &world;
    let feeding = async {
        feed(world).await;
        fed.store(true, Ordering::Relaxed);
    };
    let rebuilding = async {
        while !fed.load(Ordering::Relaxed) {
            // Back and forth: each swap is of tables that the other one left.
            rebuild(&world.bed, &[]).await.assert_done();
            rollback(&world.bed).await.assert_done();
            swaps.fetch_add(2, Ordering::Relaxed);
        }
    };
    let working = async {
        tokio::join!(feeding, rebuilding);
        world.wait_until_projected().await;
        stop.store(true, Ordering::Relaxed);
    };
    let ((), reads) = tokio::join!(working, read_all_the_time(&world.bed, &stop));
    for one in running {
        one.stop().await;
    }
    let swaps = swaps.into_inner();
    assert!(swaps >= 2 && reads > swaps, "{swaps} swaps, {reads} reads");
    assert_whole(world).await;
    assert_eq!(world.bed.count("SELECT COUNT(*) FROM parked_events").await, 0);
    let generations = generations(&world.bed).await;
    assert_eq!(generations.len(), usize::try_from(PARTITIONS).unwrap());
    assert!(generations.iter().all(|generation| *generation >= swaps), "{generations:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_one_too_many() {
    let world = World::settled().await;
    let slow = super::stand::start(&world.bed, &["rebuild", "catalog", "--throttle", "8"]);
    super::stand::wait_until_rebuilt_to(&world.bed, 1).await;
    let (second, third) = tokio::join!(rebuild(&world.bed, &[]), rollback(&world.bed));
    for second in [second, third] {
        second.assert_failed(2, "another rebuild or rollback of the catalog is running");
    }
    let ended = super::stand::end(slow).await;
    ended.assert_done();
    assert_whole(&world).await;
}
