//! Bodies of requests.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use marquee_infra::clock;
use serde_json::{Value, json};

/// Different every time: titles are globally unique.
pub fn title(name: &str) -> String {
    format!("{name} {}", tag())
}

/// A few characters that nobody else has.
pub fn tag() -> String {
    hex::encode(clock::random_bytes::<5>())
}

pub fn timestamp(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A movie without streams and captions, available tomorrow.
pub fn movie(title: &str) -> Value {
    let now = clock::now();
    json!({
        "title": title,
        "synopsis": "A test pattern counts to sixty.",
        "genres": ["Documentary", "Short"],
        "duration_minutes": 1,
        "availability_start": timestamp(now + TimeDelta::days(1)),
        "availability_end": timestamp(now + TimeDelta::days(366)),
        "poster_url": "https://images.example/poster.svg",
    })
}

/// The same, available in a moment.
pub fn movie_available_soon(title: &str) -> Value {
    let mut movie = movie(title);
    movie["availability_start"] = json!(timestamp(clock::now() + TimeDelta::seconds(3)));
    movie
}

/// The edge's sample: one minute, in the clear.
pub fn stream_source(media: &str) -> Value {
    json!({
        "stream_url": format!("{media}/media/sample/master.m3u8"),
        "quality_tag": "360p",
        "drm_required": false,
    })
}

pub fn english_captions(media: &str) -> Value {
    json!({
        "language_code": "en",
        "caption_url": format!("{media}/captions/sample.en.vtt"),
        "format": "WEBVTT",
        "is_default": true,
    })
}

pub fn french_captions(media: &str) -> Value {
    json!({
        "language_code": "fr",
        "caption_url": format!("{media}/captions/sample.fr.ttml"),
        "format": "TTML",
        "is_default": false,
    })
}

/// Everything at once, shown.
pub fn playable_movie(title: &str, media: &str) -> Value {
    let mut movie = movie_available_soon(title);
    movie["visibility"] = json!("VISIBLE");
    movie["stream_sources"] = json!([stream_source(media)]);
    movie["caption_tracks"] = json!([english_captions(media), french_captions(media)]);
    movie
}
