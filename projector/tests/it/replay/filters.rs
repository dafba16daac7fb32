//! Exactly the events that were asked for.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use marquee_domain::{MovieEvent, MovieId};
use serde_json::{Value, json};
use sqlx::types::Json;

use super::stand::{LIFE, Stand, lines, positions};
use crate::samples::Log;

#[tokio::test]
async fn a_range_of_positions_is_meant_inclusively() {
    let stand = Stand::with_lives(2).await;
    for (line, expected) in [
        ("--from 1 --to 18", 1..=18),
        ("--from 7", 7..=18),
        ("--to 7", 1..=7),
        ("--from 7 --to 7", 7..=7),
    ] {
        let found = positions(&stand.replay(line).await.stdout);
        assert_eq!(found, expected.collect::<Vec<u64>>(), "{line}");
    }
    stand.fails("--from 19", 2, "--from 19 is not in the log, which ends at 18").await;
    stand.fails("--to 19", 2, "--to 19 is not in the log, which ends at 18").await;
    stand.fails("--from 8 --to 7", 2, "--from 8 is after --to 7").await;
}

#[tokio::test]
async fn types_and_movies_choose_together() {
    let stand = Stand::new().await;
    let mut log = Log::new();
    let movies: Vec<MovieId> = ["A", "B", "C"].iter().map(|title| log.live_a_life(title)).collect();
    stand.bed.log(&log.events).await;
    stand.grow_to(3_000).await;

    let two = &movies[..2];
    let chosen = |types: &[&str], movies: &[MovieId]| -> Vec<u64> {
        log.events
            .iter()
            .filter(|one| types.is_empty() || types.contains(&one.event.name()))
            .filter(|one| movies.is_empty() || movies.contains(&one.movie_id))
            .map(|one| one.position)
            .collect()
    };
    let to = 3 * LIFE;
    let found = stand.replay(&format!("--types MovieShown,MovieCreated --to {to}")).await;
    assert_eq!(positions(&found.stdout), chosen(&["MovieShown", "MovieCreated"], &[]));
    let found = stand.replay(&format!("--movies {},{}", two[1], two[0])).await;
    assert_eq!(positions(&found.stdout), chosen(&[], two));
    let found = stand.replay(&format!("--movies {},{} --types MovieShown", two[0], two[1])).await;
    assert_eq!(positions(&found.stdout), chosen(&["MovieShown"], two));

    let rare = "SELECT COUNT(*) FROM events WHERE event_type LIKE '%.MovieShown.%'";
    let found = stand.replay("--types MovieShown").await;
    assert_eq!(lines(&found.stdout).len(), usize::try_from(stand.bed.count(rare).await).unwrap());
    let none = stand.replay(&format!("--movies {}", MovieId::new(uuid::Uuid::nil()))).await;
    assert_eq!(none.stdout, b"");
    stand.fails("--types MovieSown", 2, "there are MovieCreated, ").await;
}

#[tokio::test]
async fn times_choose_exactly_where_clocks_differ_too() {
    let stand = Stand::new().await;
    let mut log = Log::new();
    log.live_a_life("Times");
    log.live_a_life("Zeiten");
    let midnight: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    // Seconds around midnight, by position; two processes, one of whose clocks is late.
    let seconds: [i64; 18] =
        [-900, -3, -60, -2, -58, -1, 0, -40, 1, 2, -20, 3, 60, 900, 901, 870, 902, 903];
    for (recorded, second) in log.events.iter_mut().zip(seconds) {
        recorded.recorded_at = midnight + Duration::seconds(second);
    }
    stand.bed.log(&log.events).await;

    let chosen = |since: Option<i64>, before: Option<i64>| -> Vec<u64> {
        let fits = |second: i64| {
            since.is_none_or(|since| second >= since) && before.is_none_or(|end| second < end)
        };
        (1..)
            .zip(seconds)
            .filter(|(_, second)| fits(*second))
            .map(|(position, _)| position)
            .collect()
    };
    let at = |second: i64| {
        (midnight + Duration::seconds(second)).to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    for second in [-901, -900, -60, -1, 0, 1, 899, 900, 903, 904] {
        let from = stand.replay(&format!("--from {}", at(second))).await;
        assert_eq!(positions(&from.stdout), chosen(Some(second), None), "from {second}");
        let to = stand.replay(&format!("--to {}", at(second))).await;
        assert_eq!(positions(&to.stdout), chosen(None, Some(second)), "to {second}");
    }
    let both = stand.replay(&format!("--from {} --to {}", at(-2), at(3))).await;
    assert_eq!(positions(&both.stdout), chosen(Some(-2), Some(3)));
    let mixed = stand.replay(&format!("--from 5 --to {}", at(0))).await;
    assert_eq!(positions(&mixed.stdout), [5, 6, 8, 11]);
    // Another way to write the same moment.
    let elsewhere = stand.replay("--from 2026-03-02T01:00:00+01:00").await;
    assert_eq!(positions(&elsewhere.stdout), chosen(Some(0), None));
    stand.fails(&format!("--from {} --to {}", at(1), at(0)), 2, "is after --to").await;
}

/// A log with an event of an older version among newer ones.
async fn log_of_two_versions() -> (Stand, Value, Value) {
    let stand = Stand::with_lives(1).await;
    let golden = |version: u32| -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/tests/golden");
        let path = format!("{folder}/StreamSourceAttached.v{version}.json");
        serde_json::from_slice(&std::fs::read(path).expect("the golden file")).expect("JSON")
    };
    // The first event that attaches a stream, as it was written before there was a version 2.
    let changed = sqlx::query(
        "UPDATE events SET event_type = 'marquee.movie.StreamSourceAttached.v1',
             event_version = '1', payload = ? WHERE position = 2",
    )
    .bind(Json(golden(1)))
    .execute(&stand.bed.pool)
    .await
    .unwrap();
    assert_eq!(changed.rows_affected(), 1);
    (stand, golden(1), golden(2))
}

#[tokio::test]
async fn older_events_are_raised_to_the_version_asked_for_and_no_others_touched() {
    let (stand, first, second) = log_of_two_versions().await;
    let stored = lines(&stand.replay("").await.stdout);
    assert_eq!(stored[1]["type"], "marquee.movie.StreamSourceAttached.v1");
    assert_eq!(stored[1]["data"], first);
    assert_eq!(stored[2]["type"], "marquee.movie.StreamSourceAttached.v2");

    for schema in ["latest", "2", "7"] {
        let raised = lines(&stand.replay(&format!("--schema {schema}")).await.stdout);
        let mut expected = stored.clone();
        expected[1]["type"] = json!("marquee.movie.StreamSourceAttached.v2");
        expected[1]["data"] = second.clone();
        assert_eq!(raised, expected, "--schema {schema}");
        serde_json::from_value::<MovieEvent>(raised[1]["data"].clone()).expect("it is current");
    }
}

#[tokio::test]
async fn a_newer_event_is_refused_and_never_made_older() {
    let (stand, first, _) = log_of_two_versions().await;
    // Up to where all are of version 1, they are given out in it.
    let old = lines(&stand.replay("--schema 1 --to 2").await.stdout);
    assert_eq!(old[1]["data"], first);
    let said = stand.fails("--schema 1 --out v1.ndjson", 1, "the event at position 3").await;
    assert!(said.contains("StreamSourceAttached.v2 is newer than version 1"), "{said}");
    assert!(!stand.path("v1.ndjson").exists());
}
