//! Events of an older version, as they were written then, in a system of today.

use std::fs;

use marquee_tests::{
    Marquee, Setup, admin::consistency_token, client::Api, evidence::topic_until, jwt, samples,
    servers::repository, topic,
};
use serde_json::{Value, json};
use sqlx::types::Json;

const SOURCE: &str = "0195a1b2-0000-7000-8000-000000000051";

/// A golden file: what the version wrote, with these members instead of its own.
fn written(name: &str, members: &Value) -> Value {
    let path = repository().join(format!("domain/tests/golden/{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut payload: Value = serde_json::from_str(&text).expect("golden files are JSON");
    let fields = payload.as_object_mut().expect("an event is an object");
    fields.extend(members.as_object().expect("members").clone());
    payload
}

/// What a command-api of the first release would have appended to the movie, a minute long, after its
/// creation: a stream, captions, and a later look at the stream.
fn of_the_first_release() -> [(&'static str, Value); 3] {
    let now = samples::timestamp(marquee_infra::clock::now());
    let at = |mut members: Value| {
        members["last_validated_at"] = json!(now);
        members["updated_at"] = json!(now);
        members
    };
    let attached = json!({
        "measured_duration_seconds": 60.125,
        "shortest_variant_seconds": 60.0,
        "drm_systems": ["WIDEVINE"],
    });
    let validated = json!({
        "validation_status": "VALID",
        "facts": {
            "measured_duration_seconds": 60.25,
            "shortest_variant_seconds": 59.875,
            "variant_count": 3,
            "encryption": "DRM",
            "content_sha256": "ef".repeat(32),
        },
    });
    let mut validated = written("StreamSourceValidated.v1", &at(validated));
    validated.as_object_mut().expect("an object").remove("failed_rule");
    [
        ("StreamSourceAttached", written("StreamSourceAttached.v1", &at(attached))),
        ("CaptionTrackAdded", written("CaptionTrackAdded.v1", &at(json!({})))),
        ("StreamSourceValidated", validated),
    ]
}

/// Into the log, after the movie's first event, which is the only one.
async fn append_raw(marquee: &Marquee, movie_id: &str, events: &[(&'static str, Value)]) {
    let pool = marquee.database.pool();
    for (position, (name, payload)) in (2_u64..).zip(events) {
        sqlx::query(
            "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
             metadata, recorded_at) VALUES (?, 'movie', ?, ?, ?, '1', ?, '{}', UTC_TIMESTAMP(6))",
        )
        .bind(position)
        .bind(movie_id)
        .bind(position)
        .bind(format!("marquee.movie.{name}.v1"))
        .bind(Json(payload))
        .execute(&pool)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
        let moved = sqlx::query("UPDATE event_log_head SET position = position + 1")
            .execute(&pool)
            .await
            .expect("the head moves");
        assert_eq!(moved.rows_affected(), 1);
    }
}

#[tokio::test]
async fn events_of_version_1_are_loaded_published_projected_and_shown_and_go_on_in_version_2() {
    let marquee = Marquee::prepare(Setup::default()).await;
    marquee.command_api.start_ready().await;
    let movie = marquee.admin().create_hidden("Of age").await;
    marquee.command_api.terminate();
    marquee.command_api.exit_status().await;
    let old = of_the_first_release();
    append_raw(&marquee, &movie.id, &old).await;
    tokio::join!(
        marquee.command_api.start_ready(),
        marquee.projector.start_ready(),
        marquee.query_api.start_ready(),
    );

    let (path, commands) = (format!("/v1/movies/{}", movie.id), marquee.commands());
    let token = commands_are_decided_on_them(&marquee, &path, &commands).await;
    are_published_as_they_were(&marquee, &old).await;
    are_shown(&marquee, &path, &token).await;
    is_told_as_recorded(&marquee, &path, &old).await;
}

/// Showing needs the stream and the captions; the rule about durations needs the facts.
async fn commands_are_decided_on_them(marquee: &Marquee, path: &str, commands: &Api) -> String {
    let visible = json!({ "visibility": "VISIBLE" });
    let shown = commands.put(&format!("{path}/visibility")).json(&visible).send().await.expect(200);
    assert_eq!((shown.number_of("version"), shown.number_of("position")), (5, 5));
    // Two minutes are near enough to the longest variant, and 60.125 s from the shortest.
    let two_minutes = json!({ "duration_minutes": 2 });
    let refused = commands.patch(path).json(&two_minutes).send().await;
    let problem = refused.problem(422, "duration_mismatch");
    assert_eq!(problem["measured_seconds"], json!(59.875));

    let another = samples::stream_source(&marquee.media());
    let attached =
        commands.post(&format!("{path}/stream-sources")).json(&another).send().await.expect(201);
    assert_eq!(attached.number_of("version"), 6);
    consistency_token(&attached)
}

async fn are_published_as_they_were(marquee: &Marquee, old: &[(&'static str, Value)]) {
    topic_until(&marquee.topics.movies, 6).await;
    // All are of one movie, so that they are in one partition, in order.
    let records = topic::records(&marquee.topics.movies).await;
    let types: Vec<&str> = records.iter().map(|record| record.header("ce_type")).collect();
    assert_eq!(
        types,
        [
            "marquee.movie.MovieCreated.v1",
            "marquee.movie.StreamSourceAttached.v1",
            "marquee.movie.CaptionTrackAdded.v1",
            "marquee.movie.StreamSourceValidated.v1",
            "marquee.movie.MovieShown.v1",
            "marquee.movie.StreamSourceAttached.v2",
        ]
    );
    for (record, (name, payload)) in records[1..].iter().zip(old) {
        let value: Value = serde_json::from_str(&record.value).expect("the value is JSON");
        assert_eq!(value, *payload, "{name}");
    }
    let new: Value = serde_json::from_str(&records[5].value).expect("the value is JSON");
    assert!(new["facts"]["measured_duration_ms"].is_u64(), "{new}");
}

async fn are_shown(marquee: &Marquee, path: &str, token: &str) {
    let editor = marquee.queries().as_bearer(jwt::admin());
    let any = format!("{path}?visibility=any");
    let movie = editor.get(&any).header("Consistency-Token", token).send().await.expect(200).json();
    assert_eq!(movie["visibility"], json!("VISIBLE"));
    assert_eq!(movie["caption_tracks"][0]["language_code"], json!("en"));
    let source = &movie["stream_sources"][0];
    assert_eq!(source["stream_source_id"], json!(SOURCE));
    assert_eq!(source["primary"], json!(true));
    assert_eq!(source["measured_duration_seconds"], json!(60.25));
    assert_eq!(source["shortest_variant_seconds"], json!(59.875));
    assert_eq!(source["variant_count"], json!(3));
    // Probed anew: the sample is a minute long.
    let sources = movie["stream_sources"].as_array().expect("sources");
    assert_eq!((sources.len(), &sources[1]["drm_required"]), (2, &json!(false)));
    assert_eq!(marquee.database.number("SELECT COUNT(*) FROM parked_events").await, 0);
}

async fn is_told_as_recorded(marquee: &Marquee, path: &str, old: &[(&'static str, Value)]) {
    let editor = marquee.queries().as_bearer(jwt::admin());
    let history = editor.get(&format!("{path}/history")).send().await.expect(200).json();
    let items = history["items"].as_array().expect("items");
    assert_eq!(items.len(), 6);
    for (item, (name, payload)) in items[1..].iter().zip(old) {
        assert_eq!(item["event_type"], json!(format!("marquee.movie.{name}.v1")));
        let mut shown = payload.clone();
        shown.as_object_mut().expect("an object").remove("sealed_url");
        assert_eq!(item["payload"], shown, "{name}");
    }
    for (version, measured, shortest) in [(2, 60.125, 60.0), (4, 60.25, 59.875)] {
        let then = format!("{path}?as_of_version={version}");
        let movie = editor.get(&then).send().await.expect(200).json();
        let source = &movie["stream_sources"][0];
        assert_eq!(source["measured_duration_seconds"], json!(measured), "{movie}");
        assert_eq!(source["shortest_variant_seconds"], json!(shortest), "{movie}");
    }
}
