//! The movies that the benchmark creates.

use marquee_infra::clock;
use marquee_tests::servers::servers;
use serde_json::{Value, json};

/// Long enough ahead that no part of the benchmark takes place in it.
const STARTS_IN: chrono::TimeDelta = chrono::TimeDelta::days(1);
const RUNS_FOR: chrono::TimeDelta = chrono::TimeDelta::days(365);

/// A film of ordinary size, with a title of its own, without streams and captions.
pub fn plain(number: &str) -> Value {
    let start = clock::now() + STARTS_IN;
    json!({
        "title": format!("The Lighthouse Keeper's Last Winter {number}"),
        "synopsis": "A keeper refuses to leave the lighthouse that is to be automated in spring. When a ship \
                     that nobody expects asks for its light, he has one night to find out who sent it.",
        "genres": ["Drama", "Mystery"],
        "duration_minutes": 104,
        "availability_start": start,
        "availability_end": start + RUNS_FOR,
        "poster_url": "https://images.example.com/posters/the-lighthouse-keepers-last-winter.jpg",
    })
}

/// A film that viewers can see and play from `start` on. Its stream and captions are those of the edge.
pub fn playable(number: &str, start: chrono::DateTime<chrono::Utc>) -> Value {
    let edge = &servers().edge_url;
    let mut movie = plain(number);
    movie["duration_minutes"] = json!(1);
    movie["availability_start"] = json!(start);
    movie["visibility"] = json!("VISIBLE");
    movie["stream_sources"] = json!([{
        "stream_url": format!("{edge}/media/sample/master.m3u8"),
        "quality_tag": "360p", "drm_required": false, "primary": true,
    }]);
    movie["caption_tracks"] = json!([
        { "language_code": "en", "caption_url": format!("{edge}/captions/sample.en.vtt"),
          "format": "WEBVTT", "is_default": true },
        { "language_code": "fr", "caption_url": format!("{edge}/captions/sample.fr.ttml"),
          "format": "TTML", "is_default": false },
    ]);
    movie
}
