//! Late, twice, out of order, by projectors that come and go: the rows are what the events add up to.

use chrono::{DateTime, Utc};
use marquee_domain::viewing_session::{EndReason, ViewingSession, ViewingSessionEvent as Event};
use marquee_tests::fold::{self, Tables};
use serde_json::{Value, json};
use sqlx::{Row, types::Json};

use super::evening::{evening, expected, folds, publish};
use crate::bed::{Bed, PARTITIONS, wait_until};

/// The same order every time, and none that anyone thought of.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for end in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(end, usize::try_from(seed >> 33).expect("31 bits") % (end + 1));
    }
}

async fn settles(bed: &Bed, evenings: &[Vec<Event>]) {
    let expected = expected(evenings);
    wait_until("the rows are what the events add up to", || async { folds(bed).await == expected })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_s_row_has_every_field_of_the_data_model() {
    let bed = Bed::new().await;
    let running = bed.start();
    // Of these numbers, it has an end, errors, and seconds that were watched twice.
    let events = evening(22);
    publish(&bed, &events).await;
    settles(&bed, std::slice::from_ref(&events)).await;
    let mut session = ViewingSession::default();
    for event in &events {
        session.apply(event);
    }
    let started = session.started().unwrap();
    let row = sqlx::query("SELECT * FROM viewing_sessions").fetch_one(&bed.pool).await.unwrap();
    let text = |column: &str| row.get_unchecked::<Option<String>, _>(column);
    let time = |column: &str| row.get::<Option<DateTime<Utc>>, _>(column);
    assert_eq!(text("session_id"), Some(started.session_id.to_string()));
    assert_eq!(text("movie_id"), Some(started.movie_id.to_string()));
    assert_eq!(text("viewer_id"), started.viewer_id.map(|id| id.to_string()));
    assert_eq!(text("anonymous_id"), None);
    assert_eq!(text("token_id"), started.token_id.map(|id| id.to_string()));
    assert_eq!(text("device_type").as_deref(), Some("TV"));
    assert_eq!(time("started_at"), Some(started.started_at));
    assert_eq!(time("ended_at"), Some(events.last().unwrap().occurred_at()));
    assert_eq!(text("end_reason").as_deref(), Some(EndReason::ALL[1].as_str()));
    assert_eq!(time("times_out_at"), None);
    let percent: u8 = row.get("completion_percent");
    assert_eq!(percent, session.completion_percent());
    assert!((1..100).contains(&percent), "{percent}");
    let Json(errors): Json<Value> = row.get("player_errors");
    assert_eq!(errors, json!(["e2"]));
    assert!(row.get::<bool, _>("has_errors"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_any_repeats_and_projectors_that_come_and_go_give_the_same_rows() {
    let bed = Bed::new().await;
    let evenings: Vec<Vec<Event>> = (0..40).map(evening).collect();
    let mut events: Vec<Event> = evenings.concat();
    let repeats: Vec<Event> = events.iter().step_by(3).cloned().collect();
    events.extend(repeats);
    shuffle(&mut events, 7);
    let mut running = vec![bed.start()];
    for (round, chunk) in events.chunks(events.len() / 6 + 1).enumerate() {
        publish(&bed, chunk).await;
        // One joins, and every other time the oldest leaves.
        running.push(bed.start());
        if round % 2 == 1 {
            running.remove(0).stop().await;
        }
    }
    settles(&bed, &evenings).await;
    for one in running {
        one.stop().await;
    }

    // All is read again, into the rows that are there.
    sqlx::query("UPDATE projection_checkpoints SET next_offset = 0")
        .execute(&bed.pool)
        .await
        .unwrap();
    let running = bed.start();
    let marker = evening(1);
    publish(&bed, &marker).await;
    let with_marker: Vec<Vec<Event>> = evenings.into_iter().chain([marker]).collect();
    settles(&bed, &with_marker).await;
    running.stop().await;
    assert_eq!(bed.count("SELECT COUNT(*) FROM parked_events").await, 0);

    // In every column, and by other means than the domain's fold.
    let payloads: Vec<String> = with_marker
        .iter()
        .flatten()
        .map(|event| serde_json::to_string(event).expect("an event is JSON"))
        .collect();
    let expected = fold::viewing_sessions(payloads.iter().map(String::as_str), PARTITIONS);
    let mut connection = bed.pool.acquire().await.unwrap();
    let found = fold::read(&mut connection).await.only("viewing_sessions");
    fold::assert_same(&Tables([("viewing_sessions", expected)].into()), &found);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_a_session_s_start_waits_for_it_in_the_row() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut events = evening(1);
    let start = events.remove(0);
    publish(&bed, &events).await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM viewing_sessions WHERE movie_id IS NULL").await;
    publish(&bed, std::slice::from_ref(&start)).await;
    let whole: Vec<Event> = std::iter::once(start).chain(events).collect();
    settles(&bed, &[whole]).await;
    assert_eq!(bed.count("SELECT COUNT(*) FROM viewing_sessions WHERE movie_id IS NULL").await, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_parks_its_events_and_no_others() {
    let bed = Bed::new().await;
    let running = bed.start();
    let (one, other) = (evening(1), evening(2));
    publish(&bed, &one[..2]).await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM viewing_sessions").await;
    sqlx::query("UPDATE viewing_sessions SET fold = '{\"of\": \"another release\"}'")
        .execute(&bed.pool)
        .await
        .unwrap();
    publish(&bed, &one[2..]).await;
    publish(&bed, &other).await;
    let unread = "SELECT COUNT(*) FROM parked_events WHERE error LIKE '%row can\\'t be read%'";
    bed.wait_for_count(i64::try_from(one.len() - 2).unwrap(), unread).await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM viewing_sessions WHERE ended_at IS NOT NULL").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_projection_reads_by_index() {
    let bed = Bed::new().await;
    for statement in [
        "SELECT session_id, fold FROM viewing_sessions WHERE session_id IN ('a', 'b')
         ORDER BY session_id FOR UPDATE",
        "SELECT session_id FROM viewing_sessions
         WHERE kafka_partition = 1 AND times_out_at <= '2026-01-01' ORDER BY times_out_at LIMIT 9",
        "SELECT session_id FROM viewing_sessions
         WHERE viewer_id = 'a' AND session_id > '' ORDER BY session_id LIMIT 9",
        "SELECT session_id FROM viewing_sessions
         WHERE anonymous_id = 'a' AND session_id > '' ORDER BY session_id LIMIT 9",
    ] {
        bed.assert_no_table_scan(statement).await;
    }
}
