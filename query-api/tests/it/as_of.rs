//! `GET /v1/movies/{id or slug}?as_of=` and `?as_of_version=`.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use marquee_domain::MovieEvent;
use marquee_infra::clock;
use serde_json::json;

use crate::{
    bed::{Bed, Running},
    client::{Answer, bearer},
    life::{EDITOR, Life},
    sample::Sample,
};

async fn read(api: &Running, path: &str) -> Answer {
    let token = bearer(EDITOR, "catalog:read");
    api.client.get_with(path, &[("Authorization", &token)]).await
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

async fn at(api: &Running, life: &Life, instant: DateTime<Utc>) -> Answer {
    read(api, &format!("{}?as_of={}", life.path(), rfc3339(instant))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_is_shown_as_it_was_at_any_instant() {
    let bed = Bed::new().await;
    let life = Life::lived(&bed, "metropolis").await;
    let api = bed.start().await;
    let microsecond = TimeDelta::microseconds(1);
    for (version, title, visibility, sources, captions) in [
        (1, "Metropolis", "HIDDEN", 0, 0),
        (2, "Metropolis", "HIDDEN", 1, 0),
        (3, "Metropolis", "HIDDEN", 1, 1),
        (4, "Metropolis", "VISIBLE", 1, 1),
        (5, "Metropolis Restored", "VISIBLE", 1, 1),
    ] {
        // From the very instant on, until the next event's.
        for instant in [life.at(version), life.at(version + 1) - microsecond] {
            let answer = at(&api, &life, instant).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let json = &answer.json;
            assert_eq!((&json["title"], &json["visibility"]), (&json!(title), &json!(visibility)));
            assert_eq!(json["stream_sources"].as_array().map(Vec::len), Some(sources));
            assert_eq!(json["caption_tracks"].as_array().map(Vec::len), Some(captions));
            assert_eq!(json["version"], version);
            assert_eq!(json["position"], version * 10);
            assert_eq!(json["as_of"], rfc3339(instant));
            assert_eq!(json["updated_at"], rfc3339(life.at(version)));
        }
        let by_version = read(&api, &format!("{}?as_of_version={version}", life.path())).await;
        assert_eq!(by_version.json, at(&api, &life, life.at(version)).await.json);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_every_field_and_no_stream_url() {
    let bed = Bed::new().await;
    let life = Life::lived(&bed, "metropolis").await;
    let api = bed.start().await;
    let now = clock::now();
    let answer = at(&api, &life, now).await;
    let mut json = answer.json.clone();
    // Made up by chance.
    for (list, id) in
        [("stream_sources", "stream_source_id"), ("caption_tracks", "caption_track_id")]
    {
        assert!(json[list][0].as_object_mut().unwrap().remove(id).is_some());
    }
    assert_eq!(
        json,
        json!({
            "movie_id": life.movie_id.to_string(),
            "title": "Metropolis Restored",
            "slug": "metropolis",
            "synopsis": "How it began.",
            "genres": ["Drama"],
            "duration_minutes": 153,
            "availability_start": rfc3339(life.begin),
            "availability_end": rfc3339(life.begin + TimeDelta::days(9)),
            "visibility": "VISIBLE",
            "poster_url": "https://img.example/p.jpg",
            "created_at": rfc3339(life.begin),
            "created_by": EDITOR,
            "updated_at": rfc3339(life.at(5)),
            "updated_by": EDITOR,
            "stream_sources": [{
                "quality_tag": "1080p",
                "drm_required": false,
                "primary": true,
                "last_validated_at": rfc3339(life.at(2)),
                "validation_status": "VALID",
                "measured_duration_seconds": 9180.5,
                "variant_count": 2,
                "encryption": "CLEAR",
                "content_sha256": "ab".repeat(32),
            }],
            "caption_tracks": [{
                "language_code": "en",
                "caption_url": "https://img.example/c.vtt",
                "format": "WEBVTT",
                "is_default": true,
                "last_validated_at": rfc3339(life.at(3)),
                "validation_status": "VALID",
                "content_sha256": "cd".repeat(32),
                "cue_count": 12,
            }],
            "version": 5,
            "position": 50,
            "as_of": rfc3339(now),
        })
    );
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let etag = answer.header("etag").to_owned();
    let token = bearer(EDITOR, "catalog:read");
    let path = format!("{}?as_of={}", life.path(), rfc3339(now));
    let headers = [("Authorization", token.as_str()), ("If-None-Match", etag.as_str())];
    assert_eq!(api.client.get_with(&path, &headers).await.status, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_creation_and_after_its_removal_it_is_not_there() {
    let bed = Bed::new().await;
    let mut life = Life::lived(&bed, "metropolis").await;
    life.removed(&bed).await;
    let api = bed.start().await;
    let early = at(&api, &life, life.begin - TimeDelta::microseconds(1)).await;
    early.is_problem(404, "movie_not_found");
    let created = rfc3339(life.begin);
    assert!(early.json["detail"].as_str().unwrap().contains(&created), "{early:?}");

    let removed = rfc3339(life.at(6));
    for late in [life.at(6), clock::now()] {
        let late = at(&api, &life, late).await;
        late.is_problem(404, "movie_not_found");
        assert!(late.json["detail"].as_str().unwrap().contains(&removed), "{late:?}");
    }
    let last = at(&api, &life, life.at(6) - TimeDelta::microseconds(1)).await;
    assert_eq!((last.status, &last.json["version"]), (200, &json!(5)));

    let by_version = read(&api, &format!("{}?as_of_version=7", life.path())).await;
    by_version.is_problem(404, "movie_not_found");
    assert!(by_version.json["detail"].as_str().unwrap().ends_with("its last version is 6"));
    let unknown = format!("/v1/movies/{}?as_of={removed}", clock::new_uuid());
    read(&api, &unknown).await.is_problem(404, "movie_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_removed_are_found_by_slug_and_an_offset_is_an_instant_too() {
    let bed = Bed::new().await;
    let mut life = Life::lived(&bed, "metropolis").await;
    life.removed(&bed).await;
    let api = bed.start().await;
    let mut movie = Sample::with_id("Metropolis Restored", life.movie_id);
    movie.slug = "metropolis".to_owned();
    movie.removed = true;
    bed.show(&api, &mut movie).await;
    let east = chrono::FixedOffset::east_opt(7200).unwrap();
    let instant = life.at(4).with_timezone(&east).to_rfc3339().replace('+', "%2B");
    let answer = read(&api, &format!("/v1/movies/metropolis?as_of={instant}")).await;
    assert_eq!((answer.status, &answer.json["version"]), (200, &json!(4)), "{answer:?}");
    assert_eq!(answer.json["as_of"], rfc3339(life.at(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_instant_is_refused() {
    let bed = Bed::new().await;
    let life = Life::lived(&bed, "metropolis").await;
    let api = bed.start().await;
    for (query, pointers) in [
        ("as_of=yesterday", vec!["as_of"]),
        ("as_of=2026-07-01", vec!["as_of"]),
        ("as_of=", vec!["as_of"]),
        // An unescaped + is a space.
        ("as_of=2026-07-01T00:00:00+02:00", vec!["as_of"]),
        ("as_of_version=0", vec!["as_of_version"]),
        ("as_of_version=x", vec!["as_of_version"]),
        ("as_of=2026-07-01T00:00:00Z&as_of_version=1", vec!["as_of_version"]),
        ("as_of=x&as_of_version=x&visibility=x", vec!["visibility", "as_of", "as_of_version"]),
    ] {
        let answer = read(&api, &format!("{}?{query}", life.path())).await;
        assert_eq!(answer.is_problem(400, "invalid_request").pointers(), pointers, "{query}");
    }
}

/// A clock that was set back: time goes on where the log does.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_events_is_the_log_s_whatever_the_clock_said() {
    let bed = Bed::new().await;
    let mut life = Life::new("metropolis");
    life.record(&bed, "CreateMovie", &life.created("One")).await;
    life.record(&bed, "ReviseMovie", &life.retitled("Two", "One")).await;
    life.version = 3;
    let back = life.at(1) + TimeDelta::seconds(1);
    life.record_at(&bed, "ReviseMovie", &life.retitled("Three", "Two"), back).await;
    let api = bed.start().await;
    for (instant, title) in [(back, "One"), (life.at(2), "Three")] {
        assert_eq!(at(&api, &life, instant).await.json["title"], title);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_folded_to_its_end() {
    let bed = Bed::new().await;
    let mut life = Life::new("long");
    life.record(&bed, "CreateMovie", &life.created("A")).await;
    // More than are read at once, and a chunk that is exactly full at the end.
    while life.version < 1_000 {
        let (event, command) = if life.version.is_multiple_of(2) {
            (MovieEvent::MovieHidden { stamp: life.stamp() }, "HideMovie")
        } else {
            (MovieEvent::MovieShown { stamp: life.stamp() }, "ShowMovie")
        };
        life.record(&bed, command, &event).await;
    }
    let api = bed.start().await;
    for version in [499, 500, 501, 1_000] {
        let answer = read(&api, &format!("{}?as_of_version={version}", life.path())).await;
        assert_eq!((answer.status, &answer.json["version"]), (200, &json!(version)));
        let visibility = if version % 2 == 0 { "VISIBLE" } else { "HIDDEN" };
        assert_eq!(answer.json["visibility"], visibility);
    }
    let last = at(&api, &life, life.at(1_000)).await;
    assert_eq!(last.json["version"], 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_with_a_hole_or_without_a_beginning_is_nothing_to_fold() {
    let bed = Bed::new().await;
    let mut holed = Life::new("holed");
    holed.record(&bed, "CreateMovie", &holed.created("One")).await;
    holed.version += 1;
    holed.record(&bed, "ReviseMovie", &holed.retitled("Three", "Two")).await;
    let mut headless = Life::new("headless");
    headless.record(&bed, "ReviseMovie", &headless.retitled("Two", "One")).await;
    let api = bed.start().await;
    for life in [&holed, &headless] {
        let answer = at(&api, life, clock::now() + TimeDelta::hours(9)).await;
        answer.is_problem(500, "internal");
    }
    // Up to the hole, nothing is wrong.
    assert_eq!(at(&api, &holed, holed.at(2)).await.json["title"], "One");
}
