//! Events of versions that this code does not write.

use marquee_domain::MovieId;
use marquee_infra::event_log::EventLogError;
use serde_json::Value;
use sqlx::{MySqlPool, types::Json};

use super::support::*;

/// As event 2 of the movie, which is alone in the log.
async fn append_raw(pool: &MySqlPool, movie_id: MovieId, event_type: &str, payload: &str) {
    let payload: Value = serde_json::from_str(payload).unwrap();
    sqlx::query(
        "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
         metadata, recorded_at) VALUES (2, 'movie', ?, 2, ?, ?, ?, '{}', UTC_TIMESTAMP(6))",
    )
    .bind(movie_id.to_string())
    .bind(event_type)
    .bind(&event_type[event_type.len() - 1..])
    .bind(Json(payload))
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_older_version_is_raised_when_it_is_loaded() {
    let database = TestDatabase::create().await;
    let created = database.log().await.create("Ben Hur").await;
    let old = include_str!("../../../../domain/tests/golden/StreamSourceAttached.v1.json");
    append_raw(&database.pool, created.movie_id, "marquee.movie.StreamSourceAttached.v1", old)
        .await;

    let loaded = database.log().await.log.load(created.movie_id).await.unwrap();
    let facts = &loaded.movie.listed().unwrap().stream_sources[0].facts;
    assert_eq!(loaded.version, 2);
    assert_eq!(facts.measured_duration_ms, 12_719_167);
    assert_eq!(facts.shortest_variant_ms, Some(12_718_999));
}

#[tokio::test]
async fn what_is_not_known_is_refused_with_the_reason() {
    for (event_type, reason) in [
        (
            "marquee.movie.MovieShown.v2",
            "MovieShown has no version 2: the newest that is known here is 1",
        ),
        (
            "marquee.movie.MovieBurnt.v1",
            "\"marquee.movie.MovieBurnt.v1\" is not the type of a movie event",
        ),
        (
            "marquee.movie.MovieHidden.v1",
            "this is not a marquee.movie.MovieHidden.v1: its payload is a MovieShown",
        ),
        (
            "marquee.movie.StreamSourceAttached.v1",
            "this is not a marquee.movie.StreamSourceAttached.v1: measured_duration_seconds is missing",
        ),
    ] {
        let database = TestDatabase::create().await;
        let created = database.log().await.create("Ben Hur").await;
        let shown = include_str!("../../../../domain/tests/golden/MovieShown.v1.json");
        append_raw(&database.pool, created.movie_id, event_type, shown).await;
        let refused = database.log().await.log.load(created.movie_id).await.unwrap_err();
        let EventLogError::Undecodable(cause) = refused else {
            panic!("{event_type}: {refused:?}")
        };
        assert_eq!(cause.to_string(), reason);
    }
}
