//! Idempotency keys.

use std::sync::Arc;

use marquee_domain::{MovieCommand, values::Visibility};
use marquee_infra::event_log::{AppendError, IdempotencyKey};

use super::support::*;

const SHA: [u8; 32] = [7; 32];
const OTHER_SHA: [u8; 32] = [8; 32];

#[tokio::test]
async fn a_command_repeated_with_its_key_is_answered_as_before() {
    let database = TestDatabase::create().await;
    let (log, other) = (database.log().await, database.log().await);
    appended(log.log.append(with_key(create("Dune"), "k", SHA)).await);
    log.create("Between").await;
    // A repeated POST makes a new id: its key alone says that it is the same command.
    for log in [&log, &other] {
        let response = replayed(log.log.append(with_key(create("Dune"), "k", SHA)).await);
        assert_eq!((response.status, response.body.as_str()), (201, "version 1 at 1"));
    }
    assert_eq!(check_consistency(&database.pool).await, 2);

    let key = IdempotencyKey::parse("k").unwrap();
    let found = log.log.receipt(user(1), &key, &SHA).await.unwrap().unwrap();
    assert_eq!(found.body, "version 1 at 1");
    assert!(log.log.receipt(user(2), &key, &SHA).await.unwrap().is_none());
    let upper = IdempotencyKey::parse("K").unwrap();
    assert!(log.log.receipt(user(1), &upper, &SHA).await.unwrap().is_none());
    let reused = log.log.receipt(user(1), &key, &OTHER_SHA).await.unwrap_err();
    assert!(matches!(reused, AppendError::KeyReused), "{reused:?}");
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    appended(log.log.append(with_key(create("Dune"), "k", SHA)).await);
    let refused = log.log.append(with_key(create("Alien"), "k", OTHER_SHA)).await.unwrap_err();
    assert!(matches!(refused, AppendError::KeyReused), "{refused:?}");
    assert_eq!(check_consistency(&database.pool).await, 1);
}

#[tokio::test]
async fn a_repetition_wins_over_a_version_conflict() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let created = log.create("Dune").await;
    let renamed = with_key(retitle(&created, "Dune: Part One"), "k", SHA);
    let first = appended(log.log.append(renamed.clone()).await);
    appended(log.log.append(retitle(&first, "Dune: Part Two")).await);
    assert_eq!(replayed(log.log.append(renamed).await).body, "version 2 at 2");
}

#[tokio::test]
async fn of_the_same_command_sent_many_times_at_once_one_is_done() {
    let database = TestDatabase::create().await;
    let (log, other) = (database.log().await, database.log().await);
    let sent = (0..32).map(|n| {
        let log = if n % 2 == 0 { &log } else { &other };
        log.log.append(with_key(create("Dune"), "k", SHA))
    });
    let mut done = 0;
    for result in futures::future::join_all(sent).await {
        match result {
            Ok(marquee_infra::event_log::Outcome::Appended(_)) => done += 1,
            other => assert_eq!(replayed(other).body, "version 1 at 1"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(check_consistency(&database.pool).await, 1);
}

#[tokio::test]
async fn a_command_that_changes_nothing_is_remembered_too() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let created = log.create("Dune").await;
    let unchanged =
        with_key(next(&created, MovieCommand::SetVisibility(Visibility::Hidden)), "k", SHA);
    assert!(unchanged.events.is_empty());
    appended(log.log.append(unchanged.clone()).await);
    appended(log.log.append(retitle(&created, "Dune: Part One")).await);
    assert_eq!(replayed(log.log.append(unchanged).await).body, "version 1 at 1");
}

#[tokio::test]
async fn a_refused_command_leaves_no_receipt() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    log.create("Dune").await;
    log.log.append(with_key(create("Dune"), "k", SHA)).await.unwrap_err();
    let key = IdempotencyKey::parse("k").unwrap();
    assert!(log.log.receipt(user(1), &key, &SHA).await.unwrap().is_none());
    appended(log.log.append(with_key(create("Alien"), "k", OTHER_SHA)).await);
}

#[tokio::test]
async fn a_response_that_panics_fails_its_own_command_only() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let mut bad = with_key(create("Dune"), "k", SHA);
    if let Some(receipt) = &mut bad.receipt {
        receipt.response = Arc::new(|_| panic!("planted"));
    }
    let (failed, fine) = tokio::join!(log.log.append(bad), log.log.append(create("Alien")));
    assert!(matches!(failed, Err(AppendError::Internal(_))), "{failed:?}");
    appended(fine);
    assert_eq!(check_consistency(&database.pool).await, 1);
}

#[test]
fn a_key_is_1_to_255_printable_ascii_characters() {
    for good in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "~ !", &"x".repeat(255)] {
        assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a\n", "é", "a ", &"x".repeat(256)] {
        assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
    }
}
