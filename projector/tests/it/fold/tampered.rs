//! Duplicates, replays from an earlier offset, shuffles across movies, reorderings within a movie, and
//! workers that come and go meanwhile.

use std::collections::BTreeMap;

use fastrand::Rng;
use marquee_tests::fold::{self, Cell, Tables};
use serde_json::Value;

use super::{deliveries::Deliveries, end_of, expected, found, histories, seed};
use crate::{
    audit,
    bed::{Bed, PARTITIONS, Recorded, Running},
};

const RUNS: u64 = 3;
const MOVIES: usize = 40;
const COMMANDS: usize = 500;
const TOKENS: usize = 40;

/// What happens besides what happens to the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Besides {
    Nothing,
    WorkersMove,
    /// As if partitions were added to the topic all the time.
    MoviesMove,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_replays_shuffles_and_reorderings_lead_to_the_fold_of_the_log() {
    let seed = seed("tampered");
    let runs = (0..RUNS).map(|run| tampered(seed.wrapping_add(run), Besides::Nothing));
    futures::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_come_and_go_meanwhile_lead_to_the_fold_of_the_log() {
    tampered(seed("tampered, with workers that come and go"), Besides::WorkersMove).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn movies_that_move_between_partitions_lead_to_the_fold_of_the_log() {
    tampered(seed("tampered, with movies that move"), Besides::MoviesMove).await;
}

async fn tampered(seed: u64, besides: Besides) {
    let mut choice = Rng::with_seed(seed);
    let bed = Bed::new().await;
    let log = histories::random(&mut choice, MOVIES, COMMANDS);
    bed.log(&log.events).await;
    let deliveries = Deliveries::of(&log.events, &mut choice);
    let tokens: Vec<Value> = (0..TOKENS / 4).flat_map(|_| audit::one_of_each()).collect();

    let mut running = vec![bed.start()];
    let (mut places, mut token_places, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = &deliveries.records[..];
    let mut replays = 0;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(choice.usize(1..=60).min(rest.len()));
        rest = later;
        let mut partition = || (besides == Besides::MoviesMove).then(|| choice.i32(0..PARTITIONS));
        let records = chunk.iter().map(|recorded| (recorded.record(), partition())).collect();
        let at = bed.publish_at(&bed.topics.movies, records).await;
        // Sometimes what was published is one batch, sometimes it is many.
        if choice.bool() {
            fold::wait_for_checkpoints(&bed.pool, &bed.topics.movies, &end_of(&at)).await;
        }
        places.extend(at);
        // Each token more than once, too.
        let some: Vec<&Value> = choice.choose_multiple(&tokens, 3);
        told.extend(some.iter().map(ToString::to_string));
        let records = some.iter().map(|token| audit::record(token)).collect();
        token_places.extend(bed.publish(&bed.topics.stream_tokens, records).await);
        if choice.u8(..3) == 0 {
            replays += replay(&bed, &mut choice).await;
        }
        if besides == Besides::WorkersMove && choice.u8(..2) == 0 {
            move_workers(&bed, &mut running, &mut choice).await;
        }
    }
    // A worker that was thrown back notices with its next batch.
    let last: Vec<_> = log.movies().iter().filter_map(|id| log.of(*id).pop()).collect();
    let records = last.iter().map(Recorded::record).collect();
    places.extend(bed.publish(&bed.topics.movies, records).await);
    let some: Vec<_> = tokens.iter().map(audit::record).collect();
    told.extend(tokens.iter().map(ToString::to_string));
    token_places.extend(bed.publish(&bed.topics.stream_tokens, some).await);

    for (topic, places) in [(&bed.topics.movies, places), (&bed.topics.stream_tokens, token_places)]
    {
        let end: BTreeMap<i32, i64> = end_of(&places);
        fold::wait_for_checkpoints(&bed.pool, topic, &end).await;
    }
    for one in running {
        one.stop().await;
    }
    let (mut expected, found) = (expected(&bed, &told, &[]).await, found(&bed).await);
    if besides == Besides::MoviesMove {
        // Whichever it came by last.
        take_over(&mut expected, &found, "catalog_movies", "kafka_partition");
    }
    fold::assert_same(&expected, &found);
    assert_eq!(bed.count("SELECT COUNT(*) FROM parked_events").await, 0);

    // Had nothing happened, this would have shown nothing.
    assert!(replays > 0 && deliveries.doubled > 0 && deliveries.exchanged > 0);
    let raised = "SELECT CAST(SUM(generation) AS SIGNED) FROM projection_checkpoints";
    assert!(bed.count(raised).await > 0, "some events came after those behind them");
    println!(
        "seed {seed}: {} events, {} delivered twice, {} exchanged, {} behind later ones, {replays} replays",
        log.events.len(),
        deliveries.doubled,
        deliveries.exchanged,
        deliveries.behind,
    );
}

fn take_over(expected: &mut Tables, found: &Tables, table: &'static str, column: &str) {
    for (key, row) in expected.0.get_mut(table).expect("it is a read model") {
        let cell = found.0[table].get(key).and_then(|row| row.get(column)).cloned();
        row.insert(column.to_owned(), cell.unwrap_or(Cell::Null));
    }
}

/// Throws some partition's checkpoint back. Answers how many moved.
async fn replay(bed: &Bed, choice: &mut Rng) -> u64 {
    let projection = if choice.bool() { "catalog" } else { "stream_token_audit" };
    sqlx::query(
        "UPDATE projection_checkpoints SET next_offset = FLOOR(next_offset * ?)
         WHERE projection = ? AND kafka_partition = ?",
    )
    .bind(choice.f64())
    .bind(projection)
    .bind(choice.i32(0..PARTITIONS))
    .execute(&bed.pool)
    .await
    .expect("checkpoints can be thrown back")
    .rows_affected()
}

async fn move_workers(bed: &Bed, running: &mut Vec<Running>, choice: &mut Rng) {
    if running.len() > 1 && (running.len() == 3 || choice.bool()) {
        running.remove(choice.usize(..running.len())).stop().await;
    } else {
        running.push(bed.start());
    }
}
