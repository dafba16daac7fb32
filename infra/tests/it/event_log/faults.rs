//! MySQL slow, away, or cut off at the worst moment.

use std::time::Duration;

use futures::future::join_all;
use marquee_infra::event_log::{AppendError, AppendSettings, EventLogError};
use sqlx::Executor;
use tokio::{net::TcpListener, time::timeout};

use super::support::*;
use crate::chaos_proxy::{ChaosProxy, Cut};

/// Far longer than anything here takes, so that a hang fails the test instead of the machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let database = TestDatabase::create().await;
    let settings =
        AppendSettings { queue_capacity: 4, max_batch_commands: 2, ..Default::default() };
    let log = TestLog::start(database.pool.clone(), settings).await;
    // Nobody but this transaction gets at the head row: the appender waits.
    let mut head = database.pool.begin().await.unwrap();
    head.execute("SELECT position FROM event_log_head FOR UPDATE").await.unwrap();

    let waiting: Vec<_> = (0..20).map(|n| log.log.append(create(&format!("Film {n}")))).collect();
    let release = async {
        head.rollback().await.unwrap();
    };
    let (results, ()) = tokio::join!(join_all(waiting), release);
    let full =
        results.iter().filter(|result| matches!(result, Err(AppendError::QueueFull))).count();
    let done = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(full + done, 20, "{results:?}");
    assert!(full >= 20 - settings.queue_capacity - settings.max_batch_commands, "{full}");
    assert_eq!(check_consistency(&database.pool).await, done as u64);
}

#[tokio::test]
async fn it_starts_and_answers_while_mysql_is_away_and_goes_on_when_it_is_back() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    proxy.refuse_connections();
    let log =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;

    let sent: Vec<_> = (0..20).map(|n| log.log.append(create(&format!("Film {n}")))).collect();
    let results = timeout(PATIENCE, join_all(sent)).await.expect("no hang");
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, AppendError::Unavailable(_)) && error.retryable(), "{error:?}");
    }
    let id = marquee_domain::MovieId::new(marquee_infra::clock::new_uuid());
    let error = timeout(PATIENCE, log.log.load(id)).await.expect("no hang").unwrap_err();
    assert!(matches!(error, EventLogError::Unavailable(_)), "{error:?}");

    proxy.accept_connections();
    log.create("Dune").await;
    assert_eq!(check_consistency(&database.pool).await, 1);
}

#[tokio::test]
async fn a_server_that_never_answers_does_not_hang_the_appender() {
    let database = TestDatabase::create().await;
    // Accepts by way of the kernel's backlog and stays silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pool = database.pool_through(silent.local_addr().unwrap());
    let log = TestLog::start(pool, AppendSettings::default()).await;
    let result = timeout(PATIENCE, log.log.append(create("Dune"))).await.expect("no hang");
    assert!(matches!(result, Err(AppendError::Unavailable(_))), "{result:?}");
}

#[tokio::test]
async fn a_connection_lost_while_idle_or_before_commit_is_not_noticed() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    let log =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;
    log.create("Dune").await;
    proxy.cut_all();
    log.create("Alien").await;
    proxy.cut_at(Cut::BeforeSending(b"INSERT INTO events"));
    // The statement is prepared already: a shape of its own makes it travel once more.
    let appends = ["One", "Two", "Three"].map(|title| log.log.append(create(title)));
    for result in timeout(PATIENCE, join_all(appends)).await.expect("no hang") {
        appended(result);
    }
    assert_eq!(proxy.cuts(), 1);
    assert_eq!(check_consistency(&database.pool).await, 5);
}

#[tokio::test]
async fn when_commit_was_done_but_not_answered_the_truth_is_found() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    let log =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;
    proxy.cut_at(Cut::BeforeAnswering(b"COMMIT"));
    let appends = (0..10).map(|n| log.log.append(create(&format!("Film {n}"))));
    for result in timeout(PATIENCE, join_all(appends)).await.expect("no hang") {
        appended(result);
    }
    assert_eq!(proxy.cuts(), 1);
    assert_eq!(check_consistency(&database.pool).await, 10);
}

#[tokio::test]
async fn when_commit_never_arrived_the_batch_is_written_again() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    let log =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;
    proxy.cut_at(Cut::BeforeSending(b"COMMIT"));
    let appends = (0..10).map(|n| log.log.append(create(&format!("Film {n}"))));
    for result in timeout(PATIENCE, join_all(appends)).await.expect("no hang") {
        appended(result);
    }
    assert_eq!(proxy.cuts(), 1);
    assert_eq!(check_consistency(&database.pool).await, 10);
}

#[tokio::test]
async fn the_truth_about_a_lone_receipt_is_found_too() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    let log =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;
    let created = log.create("Dune").await;
    for (cut, key) in
        [(Cut::BeforeAnswering(b"COMMIT"), "done"), (Cut::BeforeSending(b"COMMIT"), "not done")]
    {
        proxy.cut_at(cut);
        let empty = append_of(created.movie_id, 1, Vec::new());
        let append = with_key(empty, key, [1; 32]);
        let result = timeout(PATIENCE, log.log.append(append.clone())).await.expect("no hang");
        assert_eq!(appended(result).version, 1);
        assert_eq!(replayed(log.log.append(append).await).body, "version 1 at 1");
    }
    assert_eq!(proxy.cuts(), 2);
}

#[tokio::test]
async fn when_the_truth_cannot_be_found_the_caller_is_told_so() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    let log =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;
    proxy.cut_at(Cut::BeforeAnswering(b"COMMIT"));
    proxy.refuse_connections();
    let append = with_key(create("Dune"), "k", [1; 32]);
    let result = timeout(PATIENCE, log.log.append(append.clone())).await.expect("no hang");
    assert!(matches!(result, Err(AppendError::OutcomeUnknown)), "{result:?}");

    // To send it again with the same key is safe, whatever had happened.
    proxy.accept_connections();
    assert_eq!(replayed(log.log.append(append).await).body, "version 1 at 1");
    assert_eq!(check_consistency(&database.pool).await, 1);
}

#[tokio::test]
async fn a_process_that_stops_in_the_middle_does_not_block_the_others_for_ever() {
    let database = TestDatabase::create().await;
    let proxy = ChaosProxy::start(database.address()).await;
    let paused =
        TestLog::start(database.pool_through(proxy.address()), AppendSettings::default()).await;
    // Its COMMIT never gets through, and its connection stays open.
    proxy.cut_at(Cut::Hold(b"COMMIT"));
    let stuck = tokio::spawn({
        let log = paused.log.clone();
        async move { log.append(create("Dune")).await }
    });
    timeout(PATIENCE, proxy.held()).await.expect("COMMIT was sent");

    let log = database.log().await;
    // In a 503's time, or a few of them.
    let accepted = timeout(2 * PATIENCE, async {
        loop {
            match log.log.append(create("Alien")).await {
                Ok(outcome) => break appended(Ok(outcome)),
                Err(error) => assert!(error.retryable(), "{error:?}"),
            }
        }
    });
    assert_eq!(accepted.await.expect("the lock is given up").version, 1);
    proxy.release();
    // It learns that nothing had happened, and does it then.
    let late = timeout(2 * PATIENCE, stuck).await.expect("no hang").unwrap();
    assert!(late.is_ok() || late.is_err_and(|error| error.retryable()));
    check_consistency(&database.pool).await;
}
