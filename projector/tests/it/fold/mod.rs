//! Whatever happens on the way, the read models end up as a pure fold of the event log
//! (`marquee_tests::fold`). What happens is made from a seed, which is printed; `MARQUEE_TEST_SEED`
//! repeats it.

mod back_pressure;
mod deliveries;
mod histories;
mod planted;
mod tampered;

use std::collections::BTreeMap;

use marquee_infra::clock;
use marquee_tests::{
    fold::{self, LogEvent, Tables},
    servers::setting,
};

use crate::{
    bed::{Bed, PARTITIONS},
    samples::Log,
};

/// The seed that was asked for, or any.
fn seed(what: &str) -> u64 {
    let seed = setting("MARQUEE_TEST_SEED")
        .unwrap_or_else(|| u64::from(u32::from_le_bytes(clock::random_bytes())));
    println!("{what}: MARQUEE_TEST_SEED={seed}");
    seed
}

/// What the tables have to hold after this log, and these events of tokens and of viewing sessions. The
/// log is read from MySQL: what was published of it is another matter.
async fn expected(bed: &Bed, tokens: &[String], sessions: &[String]) -> Tables {
    let mut tables = fold::catalog(&fold::log(&bed.pool).await, PARTITIONS);
    let audit = fold::token_audit(tokens.iter().map(String::as_str));
    tables.0.extend(audit.0);
    let sessions = fold::viewing_sessions(sessions.iter().map(String::as_str), PARTITIONS);
    tables.0.insert("viewing_sessions", sessions);
    tables
}

async fn found(bed: &Bed) -> Tables {
    let mut connection = bed.pool.acquire().await.expect("MySQL is up");
    fold::read(&mut connection).await
}

/// The offsets after the last of these places, by partition.
fn end_of(places: &[(i32, i64)]) -> BTreeMap<i32, i64> {
    let mut end = BTreeMap::new();
    for (partition, offset) in places {
        let next = end.entry(*partition).or_default();
        *next = (offset + 1).max(*next);
    }
    end
}

#[test]
fn the_fold_needs_nothing_but_what_the_log_has_as_text() {
    let mut log = Log::new();
    let movie_id = log.live_a_life("Playtime");
    let events: Vec<LogEvent> = log
        .events
        .iter()
        .map(|recorded| LogEvent {
            position: recorded.position,
            movie_id,
            sequence: recorded.sequence,
            event_type: cqrs_es::DomainEvent::event_type(&recorded.event),
            payload: serde_json::to_string(&recorded.event).unwrap(),
            command: "Test".to_owned(),
            actor: recorded.actor.to_string(),
            request_id: "r-1".to_owned(),
            recorded_at: recorded.recorded_at,
        })
        .collect();
    let Tables(tables) = fold::catalog(&events, PARTITIONS);
    let rows: Vec<(&str, usize)> =
        tables.iter().map(|(table, rows)| (*table, rows.len())).collect();
    let expected = [
        ("catalog_caption_tracks", 2),
        ("catalog_genres", 2),
        ("catalog_movies", 1),
        ("catalog_stream_sources", 1),
        ("movie_history", 9),
    ];
    assert_eq!(rows, expected);
    let row = &tables["catalog_movies"][&vec![movie_id.to_string()]];
    assert_eq!(row["title"], fold::Cell::text("Playtime, again"));
    assert_eq!(row["version"], fold::Cell::text(9));
}
