//! Versions, positions, loading.

use std::collections::HashMap;

use cqrs_es::{AggregateContext, EventStore};
use marquee_domain::{Movie, MovieCommand, MovieId, values::Visibility};
use marquee_infra::{
    clock::new_uuid,
    event_log::{AppendError, EventLogError, EventReader, MovieEventStore},
};

use super::support::*;

#[tokio::test]
async fn a_created_movie_is_loaded_as_it_was_appended() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let created = log.create("Ben Hur").await;
    assert_eq!((created.version, created.position), (1, 1));
    assert_eq!(created.slug.as_ref().unwrap().as_str(), "ben-hur");

    // Another process has nothing in memory: this comes from MySQL, through mysql-es.
    let other = database.log().await;
    let loaded = other.log.load(created.movie_id).await.unwrap();
    assert_eq!(loaded.version, 1);
    assert_eq!(loaded.movie, created.movie);
    check_consistency(&database.pool).await;
}

#[tokio::test]
async fn an_unknown_movie_is_absent_at_version_0() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let loaded = log.log.load(MovieId::new(new_uuid())).await.unwrap();
    assert_eq!((&*loaded.movie, loaded.version), (&Movie::Absent, 0));
    assert_eq!(log.log.head().await.unwrap(), 0);
}

#[tokio::test]
async fn the_stored_event_has_its_type_payload_metadata_and_time() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let append = create("Ben Hur");
    appended(log.log.append(append.clone()).await);
    let events = log.log.reader().read_movie(append.movie_id, 1, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "marquee.movie.MovieCreated.v1");
    assert_eq!(events[0].event_version, "1");
    assert_eq!(events[0].metadata["command"], "test");
    assert_eq!(events[0].recorded_at, append.recorded_at);
    let stored: marquee_domain::MovieEvent = serde_json::from_str(events[0].payload.get()).unwrap();
    assert_eq!(stored, append.events[0]);
}

#[tokio::test]
async fn an_append_on_an_older_version_is_a_conflict() {
    let database = TestDatabase::create().await;
    let (log, other) = (database.log().await, database.log().await);
    let created = log.create("Ben Hur").await;
    let late = retitle(&created, "Ben-Hur, late");
    // The other process brings the movie to version 1 in its memory, then to 2.
    other.log.load(created.movie_id).await.unwrap();
    appended(other.log.append(retitle(&created, "Ben-Hur")).await);

    let refused = log.log.append(late).await.unwrap_err();
    assert!(matches!(refused, AppendError::VersionConflict { actual: 2 }), "{refused:?}");
    // The conflict has cleared what was in memory.
    assert_eq!(log.log.load(created.movie_id).await.unwrap().version, 2);
    assert_eq!(check_consistency(&database.pool).await, 2);
}

#[tokio::test]
async fn an_append_on_a_version_that_does_not_exist_yet_is_a_conflict() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let created = log.create("Ben Hur").await;
    let early = append_of(created.movie_id, 7, retitle(&created, "Ben-Hur").events);
    let refused = log.log.append(early).await.unwrap_err();
    assert!(matches!(refused, AppendError::VersionConflict { actual: 1 }), "{refused:?}");
}

#[tokio::test]
async fn creating_a_movie_that_exists_is_a_conflict() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let created = log.create("Ben Hur").await;
    let again = append_of(created.movie_id, 0, create("Another").events);
    let refused = log.log.append(again).await.unwrap_err();
    assert!(matches!(refused, AppendError::VersionConflict { actual: 1 }), "{refused:?}");
}

#[tokio::test]
async fn an_empty_append_answers_version_and_position_and_writes_nothing() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let created = log.create("Ben Hur").await;
    log.create("Dune").await;
    let hidden = next(&created, MovieCommand::SetVisibility(Visibility::Hidden));
    assert!(hidden.events.is_empty());
    let unchanged = appended(log.log.append(hidden).await);
    assert_eq!((unchanged.version, unchanged.position), (1, 1));
    assert_eq!(unchanged.movie, created.movie);
    assert_eq!(check_consistency(&database.pool).await, 2);

    let stale = append_of(created.movie_id, 5, Vec::new());
    let refused = log.log.append(stale).await.unwrap_err();
    assert!(matches!(refused, AppendError::VersionConflict { actual: 1 }), "{refused:?}");
}

#[tokio::test]
async fn more_events_than_a_batch_may_have_are_refused() {
    let database = TestDatabase::create().await;
    let settings =
        marquee_infra::event_log::AppendSettings { max_batch_events: 2, ..Default::default() };
    let log = TestLog::start(database.pool.clone(), settings).await;
    let mut append = create("Ben Hur");
    append.events = vec![append.events[0].clone(); 3];
    let refused = log.log.append(append).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooManyEvents { max: 2, actual: 3 }), "{refused:?}");
}

#[tokio::test]
async fn the_last_position_committed_here_is_announced() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let mut positions = log.log.appended();
    assert_eq!(*positions.borrow_and_update(), 0);
    log.create("Ben Hur").await;
    positions.changed().await.unwrap();
    assert_eq!(*positions.borrow_and_update(), 1);
}

#[tokio::test]
async fn a_hole_in_the_log_is_an_error() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    for title in ["One", "Two", "Three"] {
        log.create(title).await;
    }
    sqlx::query("DELETE FROM events WHERE position = 2").execute(&database.pool).await.unwrap();
    let reader = EventReader::new(database.pool.clone());
    let error = reader.read_after(0, 10).await.unwrap_err();
    assert!(matches!(error, EventLogError::Corrupt { expected: 2, found: 3 }), "{error:?}");
    // At the edge of a page too.
    let error = reader.read_after(1, 10).await.unwrap_err();
    assert!(matches!(error, EventLogError::Corrupt { expected: 2, found: 3 }), "{error:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_decoded_is_an_error() {
    let database = TestDatabase::create().await;
    let created = database.log().await.create("Ben Hur").await;
    sqlx::query("UPDATE events SET payload = '{\"type\": \"MovieExploded\"}'")
        .execute(&database.pool)
        .await
        .unwrap();
    let error = database.log().await.log.load(created.movie_id).await.unwrap_err();
    assert!(matches!(error, EventLogError::Undecodable(_)), "{error:?}");
}

#[tokio::test]
async fn it_serves_as_an_event_store_of_cqrs_es() {
    let database = TestDatabase::create().await;
    let log = database.log().await;
    let store = MovieEventStore::new(log.log.clone());
    let created = log.create("Ben Hur").await;
    let id = created.movie_id.to_string();

    let mut stored = store.load_aggregate(&id).await.unwrap();
    assert_eq!(stored.aggregate(), &*created.movie);
    let events = retitle(&created, "Ben-Hur").events;
    let envelopes = store.commit(events.clone(), stored.clone(), HashMap::new()).await.unwrap();
    assert_eq!(envelopes.len(), 1);
    assert_eq!((envelopes[0].sequence, &envelopes[0].payload), (2, &events[0]));
    assert_eq!(store.load_events(&id).await.unwrap().len(), 2);

    let conflict = store.commit(events, stored, HashMap::new()).await.unwrap_err();
    assert!(matches!(conflict, cqrs_es::AggregateError::AggregateConflict), "{conflict:?}");
}
