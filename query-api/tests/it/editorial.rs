//! What `catalog:read` gets of a movie, beside `visibility=any`'s movies themselves (`movies`, `list`).

use serde_json::{Value, json};

use crate::{
    bed::{Bed, until},
    client::bearer,
    sample::{Sample, USER, caption_facts, stream_facts},
};

/// The data model's fields. `movie_id` of sources and tracks is the movie's that they are in; a
/// `stream_url` is shown to nobody.
const MOVIE: [&str; 14] = [
    "movie_id",
    "title",
    "slug",
    "synopsis",
    "genres",
    "duration_minutes",
    "availability_start",
    "availability_end",
    "visibility",
    "poster_url",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
];
const STREAM_SOURCE: [&str; 6] = [
    "stream_source_id",
    "quality_tag",
    "drm_required",
    "primary",
    "last_validated_at",
    "validation_status",
];
const CAPTION_TRACK: [&str; 7] = [
    "caption_track_id",
    "language_code",
    "caption_url",
    "format",
    "is_default",
    "last_validated_at",
    "validation_status",
];

#[track_caller]
fn has_exactly(object: &Value, fields: &[&str], more: &[&str]) {
    let mut expected: Vec<&str> = fields.iter().chain(more).copied().collect();
    let mut actual: Vec<&str> =
        object.as_object().expect("an object").keys().map(String::as_str).collect();
    expected.sort_unstable();
    actual.sort_unstable();
    assert_eq!(actual, expected);
}

fn names(facts: &Value) -> Vec<&str> {
    facts.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_data_model_can_be_read_in_the_detail_and_in_the_list() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    movie.visibility = "HIDDEN";
    movie.languages = vec!["en", "de"];
    bed.show(&api, &mut movie).await;
    let auth = bearer(USER, "catalog:read");
    let headers = [("Authorization", auth.as_str())];
    let path = format!("/v1/movies/{}?visibility=any", movie.slug);
    let detail = api.client.get_with(&path, &headers).await;
    assert_eq!(detail.status, 200, "{detail:?}");
    let list = api.client.get_with("/v1/movies?visibility=any", &headers).await;
    assert_eq!(list.json["items"], json!([detail.json]));

    let shown = &detail.json;
    has_exactly(shown, &MOVIE, &["stream_sources", "caption_tracks", "version", "position"]);
    let (stream_facts, caption_facts) = (stream_facts(), caption_facts());
    let source = &shown["stream_sources"][0];
    has_exactly(source, &STREAM_SOURCE, &names(&stream_facts));
    for (name, fact) in stream_facts.as_object().unwrap() {
        assert_eq!(source[name], *fact);
    }
    assert_eq!(shown["caption_tracks"].as_array().map(Vec::len), Some(2));
    for track in shown["caption_tracks"].as_array().unwrap() {
        has_exactly(track, &CAPTION_TRACK, &names(&caption_facts));
        assert_eq!(track["cue_count"], 12);
    }
    assert_eq!(
        (&shown["created_by"], &shown["updated_by"], &shown["visibility"], &shown["version"]),
        (&json!(USER), &json!(USER), &json!("HIDDEN"), &json!(1))
    );
    assert!(!detail.body.contains("cdn.example") && !detail.body.contains("stream_url"));
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_get_no_more_than_the_viewers_fields() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    let shown = api.client.get(&format!("/v1/movies/{}", movie.slug)).await.json;
    let editors_only = ["visibility", "created_at", "updated_at", "created_by", "updated_by"];
    let viewers: Vec<&str> =
        MOVIE.into_iter().filter(|field| !editors_only.contains(field)).collect();
    has_exactly(&shown, &viewers, &["stream_sources", "caption_tracks", "version", "position"]);
    has_exactly(&shown["stream_sources"][0], &STREAM_SOURCE, &[]);
    has_exactly(&shown["caption_tracks"][0], &CAPTION_TRACK, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn editors_see_since_when_a_movie_lags_and_viewers_its_last_good_version() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let (mut stale, mut fresh) = (Sample::new("Alpha"), Sample::new("Beta"));
    bed.show(&api, &mut stale).await;
    bed.show(&api, &mut fresh).await;
    let auth = bearer(USER, "catalog:read");
    let headers = [("Authorization", auth.as_str())];
    let path = format!("/v1/movies/{}", stale.slug);
    let any = format!("{path}?visibility=any");
    let seen_by_viewers = api.client.get(&path).await;

    // As the projector parks: the offset moves, the position does not. The oldest counts.
    for (offset, second) in [(7, 20), (8, 10), (9, 30)] {
        sqlx::query(
            "INSERT INTO parked_events (projection, topic, kafka_partition, kafka_offset, movie_id,
                 headers, error, parked_at)
             VALUES ('catalog', ?, 0, ?, ?, '[]', 'broken', ?)",
        )
        .bind(&bed.topics.movies)
        .bind(offset)
        .bind(stale.movie_id.to_string())
        .bind(format!("2026-03-02 10:15:{second}.5"))
        .execute(&bed.pool)
        .await
        .unwrap();
    }
    sqlx::query("UPDATE projection_checkpoints SET next_offset = next_offset + 3")
        .execute(&bed.pool)
        .await
        .unwrap();
    until("editors see it", async || {
        api.client.get_with(&any, &headers).await.json["stale_since"].is_string()
    })
    .await;
    let detail = api.client.get_with(&any, &headers).await;
    assert_eq!(detail.json["stale_since"], "2026-03-02T10:15:10.500Z");
    let list = api.client.get_with("/v1/movies?visibility=any", &headers).await;
    assert_eq!(list.json["items"][0], detail.json);
    assert_eq!(list.json["items"][1].get("stale_since"), None);
    let viewers = api.client.get(&path).await;
    assert_eq!((viewers.status, &viewers.body), (200, &seen_by_viewers.body));
    assert_eq!(viewers.header("etag"), seen_by_viewers.header("etag"));
    assert!(!api.client.get("/v1/movies").await.body.contains("stale_since"));

    // As they are tried again with success.
    sqlx::query("DELETE FROM parked_events").execute(&bed.pool).await.unwrap();
    sqlx::query("UPDATE projection_checkpoints SET generation = generation + 1")
        .execute(&bed.pool)
        .await
        .unwrap();
    until("it lags no more", async || {
        api.client.get_with(&any, &headers).await.json.get("stale_since").is_none()
    })
    .await;
}
