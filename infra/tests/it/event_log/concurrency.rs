//! Many callers, several processes' worth of appenders, one log.

use futures::future::join_all;
use marquee_domain::MovieCommand;
use marquee_infra::event_log::{AppendError, AppendSettings, EventReader, Outcome};

use super::support::*;

const CALLERS: usize = 64;
const APPENDS_EACH: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_have_no_gap_under_many_callers_and_two_appenders() {
    let database = TestDatabase::create().await;
    let logs = [database.log().await, database.log().await];
    let callers = (0..CALLERS).map(|caller| {
        let log = logs[caller % 2].log.clone();
        tokio::spawn(async move {
            let mut positions = Vec::new();
            for n in 0..APPENDS_EACH {
                let created = appended(log.append(create(&format!("Film {caller}.{n}"))).await);
                let renamed =
                    appended(log.append(retitle(&created, &format!("Renamed {caller}.{n}"))).await);
                assert!(renamed.position > created.position);
                positions.extend([created.position, renamed.position]);
            }
            positions
        })
    });
    // Meanwhile a reader follows: it never sees a hole, nor anything out of order.
    let reader = EventReader::new(database.pool.clone());
    let total = (CALLERS * APPENDS_EACH * 2) as u64;
    let follow = async {
        let mut last = 0;
        while last < total {
            for event in reader.read_after(last, 100).await.expect("no hole") {
                last = event.position;
            }
        }
    };
    let (positions, ()) = tokio::join!(join_all(callers), follow);
    let mut positions: Vec<_> = positions.into_iter().flat_map(Result::unwrap).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=total).collect::<Vec<_>>());
    assert_eq!(check_consistency(&database.pool).await, total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_race_for_a_version_one_wins() {
    let database = TestDatabase::create().await;
    let logs = [database.log().await, database.log().await];
    let created = logs[0].create("Dune").await;
    logs[1].log.load(created.movie_id).await.unwrap();
    let racers = (0..CALLERS).map(|n| {
        let log = logs[n % 2].log.clone();
        let append = retitle(&created, &format!("Dune {n}"));
        tokio::spawn(async move { log.append(append).await })
    });
    let mut wins = 0;
    for result in join_all(racers).await {
        match result.unwrap() {
            Ok(Outcome::Appended(_)) => wins += 1,
            Err(AppendError::VersionConflict { actual: 2 }) => {}
            other => panic!("neither won nor lost: {other:?}"),
        }
    }
    assert_eq!(wins, 1);
    assert_eq!(check_consistency(&database.pool).await, 2);
}

#[tokio::test]
async fn a_batch_stays_within_its_limits() {
    let database = TestDatabase::create().await;
    let settings =
        AppendSettings { max_batch_commands: 5, max_batch_events: 7, ..Default::default() };
    let log = TestLog::start(database.pool.clone(), settings).await;
    let appends: Vec<_> = (0..40)
        .map(|n| {
            let mut append = create(&format!("Film {n}"));
            // Three events each: created, renamed, removed.
            let renamed = simulate(&append, |movie| retitle(movie, &format!("Renamed {n}")));
            append.events.extend(renamed);
            let removed = simulate(&append, |movie| next(movie, MovieCommand::Remove));
            append.events.extend(removed);
            log.log.append(append)
        })
        .collect();
    for result in join_all(appends).await {
        assert_eq!(appended(result).version, 3);
    }
    assert_eq!(check_consistency(&database.pool).await, 120);
}

/// The events of a further command, decided on what the first ones would lead to.
fn simulate(
    append: &marquee_infra::event_log::Append,
    command: impl Fn(&marquee_infra::event_log::Appended) -> marquee_infra::event_log::Append,
) -> Vec<marquee_domain::MovieEvent> {
    let mut movie = marquee_domain::Movie::Absent;
    for event in &append.events {
        marquee_domain::evolve(&mut movie, event);
    }
    let after = marquee_infra::event_log::Appended {
        movie_id: append.movie_id,
        version: append.events.len() as u64,
        position: 0,
        slug: None,
        movie: movie.into(),
    };
    command(&after).events
}

#[tokio::test]
async fn what_is_waiting_at_shutdown_is_still_appended() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let appends: Vec<_> = (0..50).map(|n| log.log.append(create(&format!("Film {n}")))).collect();
    // The first poll queues all of them; the second one finds the queue closed.
    let stop = async { log.shutdown.cancel() };
    let (results, ()) = tokio::join!(join_all(appends), stop);
    for result in results {
        appended(result);
    }
    log.appender.await.unwrap();
    let refused = log.log.append(create("Too late")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(_)), "{refused:?}");
    assert_eq!(check_consistency(&database.pool).await, 50);
}

#[tokio::test]
async fn an_append_that_nobody_waits_for_any_more_is_still_done_whole() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    {
        let append = std::pin::pin!(log.log.append(create("Dune")));
        assert!(futures::poll!(append).is_pending());
    }
    let mut positions = log.log.appended();
    positions.wait_for(|position| *position == 1).await.unwrap();
    assert_eq!(check_consistency(&database.pool).await, 1);
}
