//! The rows that a log adds up to. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use marquee_domain::{
    Movie, MovieEvent, MovieId, evolve,
    movie::{self, CaptionTrack, ListedMovie, StreamSource},
    values::{QualityTag, StreamFacts},
};
use marquee_infra::kafka::partition_of;
use serde_json::{Value, json};

use super::{Cell, Row, Table, Tables};

/// An event as the log has it.
#[derive(Debug, Clone)]
pub struct LogEvent {
    pub position: u64,
    pub movie_id: MovieId,
    pub sequence: u64,
    pub event_type: String,
    pub payload: String,
    pub command: String,
    pub actor: String,
    pub request_id: String,
    pub recorded_at: DateTime<Utc>,
}

/// The catalog's tables after these events, which are in the order of the log and came by a topic of so many
/// partitions.
///
/// # Panics
/// When one of them is no event.
pub fn catalog(log: &[LogEvent], partitions: i32) -> Tables {
    let mut lives: BTreeMap<MovieId, Life> = BTreeMap::new();
    let mut history = Table::new();
    for event in log {
        let life = lives.entry(event.movie_id).or_default();
        life.live(event);
        let key = vec![event.movie_id.to_string(), event.sequence.to_string()];
        history.insert(key, history_row(event));
    }
    let mut tables = CatalogTables::default();
    for (movie_id, life) in &lives {
        tables.add(*movie_id, life, partitions);
    }
    let CatalogTables { movies, genres, sources, captions } = tables;
    Tables(BTreeMap::from([
        ("catalog_movies", movies),
        ("catalog_genres", genres),
        ("catalog_stream_sources", sources),
        ("catalog_caption_tracks", captions),
        ("movie_history", history),
    ]))
}

/// One movie, folded.
#[derive(Default)]
struct Life {
    movie: Movie,
    /// As it was before it was removed, if it was.
    last_listed: Option<ListedMovie>,
    version: u64,
    position: u64,
}

impl Life {
    fn live(&mut self, event: &LogEvent) {
        let LogEvent { position, movie_id, sequence, .. } = event;
        assert_eq!(*sequence, self.version + 1, "the log is whole: movie {movie_id} at {position}");
        let decoded = movie::decode(&event.event_type, &event.payload)
            .unwrap_or_else(|error| panic!("the log can be read: {position}: {error}"));
        if let MovieEvent::MovieRemoved { stamp } = &decoded {
            self.last_listed = self.movie.listed().cloned().map(|movie| ListedMovie {
                updated_at: stamp.updated_at,
                updated_by: stamp.updated_by,
                ..movie
            });
        }
        evolve(&mut self.movie, &decoded);
        self.version = *sequence;
        self.position = *position;
    }
}

#[derive(Default)]
struct CatalogTables {
    movies: Table,
    genres: Table,
    sources: Table,
    captions: Table,
}

impl CatalogTables {
    fn add(&mut self, movie_id: MovieId, life: &Life, partitions: i32) {
        let id = movie_id.to_string();
        let partition = partition_of(id.as_bytes(), partitions);
        self.movies.insert(vec![id.clone()], movie_row(&id, life, partition));
        // A removed movie's row goes on showing what it was; nothing belongs to it any more.
        let Some(movie) = life.movie.listed() else { return };
        for (ordinal, genre) in movie.genres.as_slice().iter().enumerate() {
            let row = row([
                ("movie_id", Cell::text(&id)),
                ("genre", Cell::text(genre)),
                ("ordinal", Cell::text(ordinal)),
            ]);
            self.genres.insert(vec![id.clone(), ordinal.to_string()], row);
        }
        for (ordinal, source) in movie.stream_sources.iter().enumerate() {
            let key = vec![source.stream_source_id.to_string()];
            self.sources.insert(key, source_row(&id, ordinal, source));
        }
        for (ordinal, track) in movie.caption_tracks.iter().enumerate() {
            let key = vec![track.caption_track_id.to_string()];
            self.captions.insert(key, caption_row(&id, ordinal, track));
        }
    }
}

fn movie_row(id: &str, life: &Life, partition: i32) -> Row {
    let movie = life.movie.listed().or(life.last_listed.as_ref()).expect("it was created");
    row([
        ("movie_id", Cell::text(id)),
        ("title", Cell::text(movie.title.as_str())),
        ("slug", Cell::text(movie.slug.as_str())),
        ("synopsis", Cell::text(movie.synopsis.as_str())),
        ("genres", Cell::Json(json!(movie.genres))),
        ("duration_minutes", Cell::text(movie.duration_minutes.get())),
        ("availability_start", time(movie.availability.start())),
        ("availability_end", time(movie.availability.end())),
        ("visibility", Cell::text(movie.visibility.as_str())),
        ("poster_url", Cell::text(movie.poster_url.as_str())),
        ("created_at", time(movie.created_at)),
        ("created_by", Cell::text(movie.created_by)),
        ("updated_at", time(movie.updated_at)),
        ("updated_by", Cell::text(movie.updated_by)),
        ("removed", flag(life.movie.listed().is_none())),
        ("version", Cell::text(life.version)),
        ("position", Cell::text(life.position)),
        ("kafka_partition", Cell::text(partition)),
        ("state", Cell::Json(json!(life.movie))),
    ])
}

fn source_row(movie_id: &str, ordinal: usize, source: &StreamSource) -> Row {
    let tag = source.quality_tag.as_ref().map(QualityTag::as_str);
    row([
        ("stream_source_id", Cell::text(source.stream_source_id)),
        ("movie_id", Cell::text(movie_id)),
        ("ordinal", Cell::text(ordinal)),
        ("stream_url", Cell::text(source.sealed_url.as_str())),
        ("quality_tag", tag.map_or(Cell::Null, Cell::text)),
        ("drm_required", flag(source.drm_required)),
        ("is_primary", flag(source.primary)),
        ("last_validated_at", time(source.last_validated_at)),
        ("validation_status", Cell::text(source.validation_status.as_str())),
        ("facts", Cell::Json(stream_facts(&source.facts))),
    ])
}

/// The table has durations in seconds, and leaves out what there is none of.
fn stream_facts(facts: &StreamFacts) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "no stream is that long")]
    let seconds = |milliseconds: u64| json!(milliseconds as f64 / 1_000.0);
    let mut column = json!({
        "measured_duration_seconds": seconds(facts.measured_duration_ms),
        "variant_count": facts.variant_count,
        "encryption": facts.encryption,
        "content_sha256": facts.content_sha256,
    });
    if let Some(shortest) = facts.shortest_variant_ms {
        column["shortest_variant_seconds"] = seconds(shortest);
    }
    if !facts.drm_systems.is_empty() {
        column["drm_systems"] = json!(facts.drm_systems);
    }
    column
}

fn caption_row(movie_id: &str, ordinal: usize, track: &CaptionTrack) -> Row {
    row([
        ("caption_track_id", Cell::text(track.caption_track_id)),
        ("movie_id", Cell::text(movie_id)),
        ("ordinal", Cell::text(ordinal)),
        ("language_code", Cell::text(track.language_code.as_str())),
        ("caption_url", Cell::text(track.caption_url.as_str())),
        ("format", Cell::text(track.format.as_str())),
        ("is_default", flag(track.is_default)),
        ("last_validated_at", time(track.last_validated_at)),
        ("validation_status", Cell::text(track.validation_status.as_str())),
        ("facts", Cell::Json(json!(track.facts))),
    ])
}

fn history_row(event: &LogEvent) -> Row {
    let payload = serde_json::from_str(&event.payload).expect("it was decoded");
    row([
        ("movie_id", Cell::text(event.movie_id)),
        ("version", Cell::text(event.sequence)),
        ("position", Cell::text(event.position)),
        ("event_type", Cell::text(&event.event_type)),
        ("command", Cell::text(&event.command)),
        ("actor", Cell::text(&event.actor)),
        ("request_id", Cell::text(&event.request_id)),
        ("recorded_at", time(event.recorded_at)),
        ("payload", Cell::Json(payload)),
    ])
}

/// The audit of tokens after these payloads of the stream tokens' topic: a row for each token that was issued or
/// renewed, for each denial and for each token that was revoked, of whatever came first of it.
///
/// # Panics
/// When one of them is no event of a token.
pub fn token_audit<'a>(payloads: impl IntoIterator<Item = &'a str>) -> Tables {
    let (mut tokens, mut denials, mut revocations) = (Table::new(), Table::new(), Table::new());
    for payload in payloads {
        let event: Value = serde_json::from_str(payload).expect("a token's event is JSON");
        let text = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("{name}: {payload}"));
        let same = |name: &'static str| (name, Cell::text(text(name)));
        let instant = |name: &'static str| (name, time(text(name).parse().expect("an instant")));
        let key = |id: &str| vec![text(id).to_owned(), text("movie_id").to_owned()];
        match text("type") {
            kind @ ("StreamTokenIssued" | "StreamTokenRenewed") => {
                let renews =
                    if kind == "StreamTokenRenewed" { same("renews").1 } else { Cell::Null };
                let row = row([
                    same("token_id"),
                    same("movie_id"),
                    ("event_type", Cell::text(kind)),
                    same("viewer_context"),
                    same("dialect"),
                    same("key_id"),
                    same("token_sha256"),
                    same("signed_url"),
                    instant("issued_at"),
                    instant("expires_at"),
                    ("stateless", flag(event["stateless"].as_bool().expect("it is told"))),
                    ("renews", renews),
                ]);
                tokens.entry(key("token_id")).or_insert(row);
            }
            "StreamTokenDenied" => {
                let row = row([
                    same("denial_id"),
                    same("movie_id"),
                    same("viewer_context"),
                    same("reason"),
                    instant("denied_at"),
                ]);
                denials.entry(vec![text("denial_id").to_owned()]).or_insert(row);
            }
            "StreamTokenRevoked" => {
                let row = row([
                    same("token_id"),
                    same("movie_id"),
                    same("viewer_context"),
                    same("reason"),
                    instant("revoked_at"),
                ]);
                revocations.entry(key("token_id")).or_insert(row);
            }
            other => panic!("{other} is no event of a token"),
        }
    }
    Tables(BTreeMap::from([
        ("stream_token_audit", tokens),
        ("stream_token_denials", denials),
        ("stream_token_revocations", revocations),
    ]))
}

pub(super) fn row<const N: usize>(cells: [(&str, Cell); N]) -> Row {
    cells.into_iter().map(|(column, cell)| (column.to_owned(), cell)).collect()
}

pub(super) fn flag(yes: bool) -> Cell {
    Cell::text(u8::from(yes))
}

/// As MySQL shows a DATETIME(6).
pub(super) fn time(instant: DateTime<Utc>) -> Cell {
    Cell::text(instant.format("%Y-%m-%d %H:%M:%S%.6f"))
}
