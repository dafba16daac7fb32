//! What the tables have to hold of a movie, from nothing but its events.

use marquee_domain::{
    Movie,
    movie::{CaptionTrack, ListedMovie, StreamSource},
};
use serde_json::{Value, json};

use super::rows::{Columns, instant};
use crate::catalog::{Entry, Fold, StreamFactsColumn};

/// The row of a movie that has one.
pub fn row(fold: &Fold, partition: i32) -> Option<Columns> {
    let shown = match &fold.movie {
        Movie::Listed(movie) => movie,
        Movie::Removed { .. } => fold.last_listed.as_ref()?,
        Movie::Absent => return None,
    };
    let listed = fold.movie.listed();
    Some(Columns::from([
        ("title", json!(shown.title)),
        ("slug", json!(shown.slug)),
        ("synopsis", json!(shown.synopsis)),
        ("genres", json!(shown.genres)),
        ("duration_minutes", json!(shown.duration_minutes)),
        ("availability_start", json!(instant(shown.availability.start()))),
        ("availability_end", json!(instant(shown.availability.end()))),
        ("visibility", json!(shown.visibility)),
        ("poster_url", json!(shown.poster_url)),
        ("created_at", json!(instant(shown.created_at))),
        ("created_by", json!(shown.created_by)),
        ("updated_at", json!(instant(shown.updated_at))),
        ("updated_by", json!(shown.updated_by)),
        ("removed", json!(listed.is_none())),
        ("position", json!(fold.position)),
        ("kafka_partition", json!(partition)),
        (
            "catalog_genres",
            list(listed, |movie| movie.genres.as_slice(), |genre| vec![json!(genre)]),
        ),
        ("catalog_stream_sources", list(listed, |movie| &movie.stream_sources, source)),
        ("catalog_caption_tracks", list(listed, |movie| &movie.caption_tracks, caption)),
    ]))
}

fn list<T>(
    movie: Option<&ListedMovie>,
    children: impl Fn(&ListedMovie) -> &[T],
    columns: impl Fn(&T) -> Vec<Value>,
) -> Value {
    let children = movie.map_or(&[][..], children);
    let numbered = (0_u32..).zip(children).map(|(ordinal, child)| {
        let mut values = vec![json!(ordinal)];
        values.extend(columns(child));
        Value::Array(values)
    });
    Value::Array(numbered.collect())
}

fn source(source: &StreamSource) -> Vec<Value> {
    vec![
        json!(source.stream_source_id),
        json!(source.sealed_url),
        json!(source.quality_tag),
        json!(source.drm_required),
        json!(source.primary),
        json!(instant(source.last_validated_at)),
        json!(source.validation_status),
        json!(StreamFactsColumn::from(&source.facts)),
    ]
}

fn caption(track: &CaptionTrack) -> Vec<Value> {
    vec![
        json!(track.caption_track_id),
        json!(track.language_code),
        json!(track.caption_url),
        json!(track.format),
        json!(track.is_default),
        json!(instant(track.last_validated_at)),
        json!(track.validation_status),
        json!(track.facts),
    ]
}

/// An event's entry in its movie's history.
pub fn history(entry: &Entry) -> Columns {
    Columns::from([
        ("position", json!(entry.position)),
        ("event_type", json!(entry.event_type)),
        ("command", json!(entry.command)),
        ("actor", json!(entry.actor)),
        ("request_id", json!(entry.request_id)),
        ("recorded_at", json!(instant(entry.recorded_at))),
        ("payload", serde_json::from_str(&entry.payload).unwrap_or_default()),
    ])
}
