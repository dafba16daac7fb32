//! The read models as they have to be after a log, and as they are.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use marquee_domain::{Movie, MovieId, movie::ListedMovie, values::StreamFacts};
use serde_json::{Value, json};
use sqlx::{Row, mysql::MySqlRow, types::Json};

use crate::{bed::Bed, samples::Log};

pub type Model = BTreeMap<String, Value>;

/// A pure fold of the log.
pub fn expected(log: &Log) -> Model {
    log.movies().into_iter().map(|id| (id.to_string(), expected_movie(log, id))).collect()
}

fn expected_movie(log: &Log, movie_id: MovieId) -> Value {
    let events = log.of(movie_id);
    let last = events.last().expect("a movie has events");
    let (movie, version) = log.fold(movie_id);
    let mut before_removal = Movie::Absent;
    for recorded in &events {
        if !matches!(recorded.event, marquee_domain::MovieEvent::MovieRemoved { .. }) {
            marquee_domain::evolve(&mut before_removal, &recorded.event);
        }
    }
    let shown = before_removal.listed().expect("it was created");
    let removed = movie.listed().is_none();
    let history: Vec<Value> = events
        .iter()
        .map(|recorded| {
            json!({
                "version": recorded.sequence, "position": recorded.position,
                "event_type": cqrs_es::DomainEvent::event_type(&recorded.event),
                "command": "Test", "actor": recorded.actor, "request_id": "r-1",
                "recorded_at": time(recorded.recorded_at), "payload": recorded.event,
            })
        })
        .collect();
    let updated_at = if removed { last.recorded_at } else { shown.updated_at };
    json!({
        "version": version, "position": last.position, "removed": removed, "state": movie,
        "title": shown.title, "slug": shown.slug, "synopsis": shown.synopsis,
        "genres": shown.genres, "duration_minutes": shown.duration_minutes,
        "availability": [time(shown.availability.start()), time(shown.availability.end())],
        "visibility": shown.visibility, "poster_url": shown.poster_url,
        "created": [json!(time(shown.created_at)), json!(shown.created_by)],
        "updated": [json!(time(updated_at)), json!(shown.updated_by)],
        "children": movie.listed().map_or_else(no_children, children),
        "history": history,
    })
}

fn no_children() -> Value {
    json!({ "genres": [], "stream_sources": [], "caption_tracks": [] })
}

fn children(movie: &ListedMovie) -> Value {
    let sources: Vec<Value> = (0..)
        .zip(&movie.stream_sources)
        .map(|(ordinal, source): (u32, _)| {
            json!([
                ordinal,
                source.stream_source_id,
                source.sealed_url,
                source.quality_tag,
                source.drm_required,
                source.primary,
                time(source.last_validated_at),
                source.validation_status,
                column_of(&source.facts),
            ])
        })
        .collect();
    let captions: Vec<Value> = (0..)
        .zip(&movie.caption_tracks)
        .map(|(ordinal, track): (u32, _)| {
            json!([
                ordinal,
                track.caption_track_id,
                track.language_code,
                track.caption_url,
                track.format,
                track.is_default,
                time(track.last_validated_at),
                track.validation_status,
                track.facts,
            ])
        })
        .collect();
    json!({ "genres": movie.genres, "stream_sources": sources, "caption_tracks": captions })
}

/// The table keeps durations in seconds, whatever the events do.
fn column_of(facts: &StreamFacts) -> Value {
    let mut column = json!(facts);
    let fields = column.as_object_mut().expect("an object");
    for (milliseconds, seconds) in [
        ("measured_duration_ms", "measured_duration_seconds"),
        ("shortest_variant_ms", "shortest_variant_seconds"),
    ] {
        if let Some(value) = fields.remove(milliseconds).and_then(|value| value.as_f64()) {
            fields.insert(seconds.to_owned(), json!(value / 1000.0));
        }
    }
    column
}

/// What is in the tables.
pub async fn actual(bed: &Bed) -> Model {
    let mut model = Model::new();
    for row in rows(bed, "SELECT * FROM catalog_movies").await {
        let movie_id: String = text(&row, "movie_id");
        let children = actual_children(bed, &movie_id).await;
        let history = actual_history(bed, &movie_id).await;
        let movie = json!({
            "version": row.get::<u64, _>("version"), "position": row.get::<u64, _>("position"),
            "removed": row.get::<bool, _>("removed"), "state": json_of(&row, "state"),
            "title": text(&row, "title"), "slug": text(&row, "slug"),
            "synopsis": text(&row, "synopsis"), "genres": json_of(&row, "genres"),
            "duration_minutes": row.get::<u32, _>("duration_minutes"),
            "availability": [instant(&row, "availability_start"), instant(&row, "availability_end")],
            "visibility": text(&row, "visibility"), "poster_url": text(&row, "poster_url"),
            "created": [instant(&row, "created_at"), text(&row, "created_by")],
            "updated": [instant(&row, "updated_at"), text(&row, "updated_by")],
            "children": children, "history": history,
        });
        model.insert(movie_id, movie);
    }
    model
}

async fn actual_children(bed: &Bed, movie_id: &str) -> Value {
    let of = |table: &str| {
        format!("SELECT * FROM {table} WHERE movie_id = '{movie_id}' ORDER BY ordinal")
    };
    let genres: Vec<String> =
        rows(bed, &of("catalog_genres")).await.iter().map(|row| text(row, "genre")).collect();
    let sources: Vec<Value> = rows(bed, &of("catalog_stream_sources"))
        .await
        .iter()
        .map(|row| {
            json!([
                row.get::<u32, _>("ordinal"),
                text(row, "stream_source_id"),
                text(row, "stream_url"),
                row.get_unchecked::<Option<String>, _>("quality_tag"),
                row.get::<bool, _>("drm_required"),
                row.get::<bool, _>("is_primary"),
                instant(row, "last_validated_at"),
                text(row, "validation_status"),
                json_of(row, "facts"),
            ])
        })
        .collect();
    let captions: Vec<Value> = rows(bed, &of("catalog_caption_tracks"))
        .await
        .iter()
        .map(|row| {
            json!([
                row.get::<u32, _>("ordinal"),
                text(row, "caption_track_id"),
                text(row, "language_code"),
                text(row, "caption_url"),
                text(row, "format"),
                row.get::<bool, _>("is_default"),
                instant(row, "last_validated_at"),
                text(row, "validation_status"),
                json_of(row, "facts"),
            ])
        })
        .collect();
    json!({ "genres": genres, "stream_sources": sources, "caption_tracks": captions })
}

async fn actual_history(bed: &Bed, movie_id: &str) -> Vec<Value> {
    let sql = format!("SELECT * FROM movie_history WHERE movie_id = '{movie_id}' ORDER BY version");
    rows(bed, &sql)
        .await
        .iter()
        .map(|row| {
            json!({
                "version": row.get::<u64, _>("version"), "position": row.get::<u64, _>("position"),
                "event_type": text(row, "event_type"), "command": text(row, "command"),
                "actor": text(row, "actor"), "request_id": text(row, "request_id"),
                "recorded_at": instant(row, "recorded_at"), "payload": json_of(row, "payload"),
            })
        })
        .collect()
}

async fn rows(bed: &Bed, sql: &str) -> Vec<MySqlRow> {
    sqlx::query(sql).fetch_all(&bed.pool).await.expect("the table can be read")
}

fn text(row: &MySqlRow, column: &str) -> String {
    row.get_unchecked(column)
}

fn json_of(row: &MySqlRow, column: &str) -> Value {
    row.get::<Json<Value>, _>(column).0
}

fn instant(row: &MySqlRow, column: &str) -> String {
    time(row.get(column))
}

fn time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}
