//! `projector audit` sees what is wrong with the table.

use serde_json::Value;

use super::evening::{evening, expected, folds, publish};
use crate::{
    bed::{Bed, wait_until},
    command_line::run,
};

/// What was found of sessions, and how much was looked at.
async fn found(bed: &Bed) -> (Vec<(String, u64)>, Value) {
    let output = run(bed, &["audit", "--json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let findings = report["findings"].as_array().expect("findings").iter();
    let found = findings
        .map(|finding| {
            let kind = finding["kind"].as_str().expect("a kind").to_owned();
            (kind, finding["total"].as_u64().expect("a number"))
        })
        .collect();
    (found, report["looked_at"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_found() {
    let bed = Bed::new().await;
    let running = bed.start();
    let evenings: Vec<_> = (0..4).map(evening).collect();
    let events = evenings.concat();
    publish(&bed, &events).await;
    wait_until("all is projected", || async { folds(&bed).await == expected(&evenings) }).await;
    running.stop().await;
    // On its way only: no finding.
    publish(&bed, &evening(9)).await;

    let (clean, looked_at) = found(&bed).await;
    assert_eq!(clean, []);
    assert_eq!(
        (&looked_at["sessions"], &looked_at["session_events"]),
        (&4.into(), &events.len().into())
    );

    let session = evenings[1][0].session_id();
    let tampered = async |change: &str| {
        let saved = "CREATE TABLE saved AS SELECT * FROM viewing_sessions";
        sqlx::query(saved).execute(&bed.pool).await.unwrap();
        let change = format!("{change} WHERE session_id = '{session}'");
        let changed = sqlx::query(&change).execute(&bed.pool).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
        let (found, _) = found(&bed).await;
        for restore in [
            "DELETE FROM viewing_sessions",
            "INSERT INTO viewing_sessions SELECT * FROM saved",
            "DROP TABLE saved",
        ] {
            sqlx::query(restore).execute(&bed.pool).await.unwrap();
        }
        found
    };
    let differs = [("session_differs".to_owned(), 1)];
    for column in [
        "movie_id = 'x'",
        "viewer_id = NULL",
        "ended_at = ended_at + INTERVAL 1 MICROSECOND",
        "completion_percent = 100",
        "player_errors = '[]'",
        "end_reason = 'TIMED_OUT'",
    ] {
        assert_eq!(tampered(&format!("UPDATE viewing_sessions SET {column}")).await, differs);
    }
    let events = evenings[1].len() as u64;
    let gone = tampered("DELETE FROM viewing_sessions").await;
    assert_eq!(gone, [("session_missing".to_owned(), events)]);
    let forgotten =
        tampered("UPDATE viewing_sessions SET fold = JSON_SET(fold, '$.watched', '')").await;
    assert!(forgotten.iter().any(|(kind, total)| kind == "session_lacks" && *total > 0));
    assert_eq!(found(&bed).await.0, []);
}
