//! What the tests start from: a film of 90 minutes, sources and captions that the rules accept.

use chrono::{DateTime, Utc};
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use marquee_domain::{
    CaptionTrackId, Context, Movie, MovieCommand, MovieEvent, MovieId, StreamSourceId, UserId,
    evolve,
    movie::{CreateMovie, ListedMovie, NewCaptionTrack, NewStreamSource, Stamp, ValidationOutcome},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Encryption,
        Genres, LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamFacts, StreamProbe,
        Synopsis, Title, ValidationStatus, Visibility,
    },
};
use uuid::Uuid;

/// The length of the film in seconds, as its streams have it.
pub const SECONDS: f64 = 5_400.0;
/// The same as events have it.
pub const MILLISECONDS: u64 = 5_400_000;

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// When and by whom the history was made.
pub fn earlier() -> Stamp {
    Stamp {
        updated_at: instant("2030-01-01T08:00:00Z"),
        updated_by: UserId::new(Uuid::from_u128(0xa)),
    }
}

/// When and by whom the command is given.
pub fn now() -> Stamp {
    Stamp {
        updated_at: instant("2030-01-02T09:30:00.123456Z"),
        updated_by: UserId::new(Uuid::from_u128(0xb)),
    }
}

pub fn context() -> Context {
    Context { now: now().updated_at, actor: now().updated_by }
}

/// A movie with this history, to which a command is given `now`.
pub fn given(history: Vec<MovieEvent>) -> AggregateTestExecutor<Movie> {
    TestFramework::with(context()).given(history)
}

pub fn folded(history: &[MovieEvent]) -> Movie {
    let mut movie = Movie::default();
    for event in history {
        evolve(&mut movie, event);
    }
    movie
}

pub fn listed(history: &[MovieEvent]) -> ListedMovie {
    folded(history).listed().cloned().expect("a history of a movie that exists")
}

pub fn movie_id() -> MovieId {
    MovieId::new(Uuid::from_u128(1))
}

pub fn source_id(n: u128) -> StreamSourceId {
    StreamSourceId::new(Uuid::from_u128(0x50_0000 + n))
}

pub fn caption_id(n: u128) -> CaptionTrackId {
    CaptionTrackId::new(Uuid::from_u128(0xca_0000 + n))
}

pub fn title(text: &str) -> Title {
    Title::parse(text).unwrap()
}

pub fn genres(names: &[&str]) -> Genres {
    Genres::parse(names).unwrap()
}

pub fn minutes(n: u64) -> DurationMinutes {
    DurationMinutes::parse(n).unwrap()
}

pub fn language(code: &str) -> LanguageCode {
    LanguageCode::parse(code).unwrap()
}

pub fn window() -> AvailabilityWindow {
    AvailabilityWindow::new(instant("2030-02-01T00:00:00Z"), instant("2031-02-01T00:00:00Z"))
        .unwrap()
}

/// A new movie without sources and captions.
pub fn creation() -> CreateMovie {
    CreateMovie {
        movie_id: movie_id(),
        title: title("Ben-Hur"),
        slug: Slug::parse("ben-hur").unwrap(),
        synopsis: Synopsis::parse("A prince of Judea is betrayed by a friend.").unwrap(),
        genres: genres(&["Adventure", "Drama"]),
        duration_minutes: minutes(90),
        availability: window(),
        visibility: Visibility::Hidden,
        poster_url: PosterUrl::parse("https://img.example/ben-hur.jpg").unwrap(),
        stream_sources: Vec::new(),
        caption_tracks: Vec::new(),
    }
}

pub fn create(creation: CreateMovie) -> MovieCommand {
    MovieCommand::Create(Box::new(creation))
}

pub fn created(stamp: Stamp) -> MovieEvent {
    let new = creation();
    MovieEvent::MovieCreated {
        movie_id: new.movie_id,
        title: new.title,
        slug: new.slug,
        synopsis: new.synopsis,
        genres: new.genres,
        duration_minutes: new.duration_minutes,
        availability: new.availability,
        visibility: Visibility::Hidden,
        poster_url: new.poster_url,
        created_at: stamp.updated_at,
        created_by: stamp.updated_by,
    }
}

pub fn probe() -> StreamProbe {
    StreamProbe {
        variant_seconds: vec![SECONDS],
        ended: true,
        encryption: Encryption::Clear,
        drm_systems: Vec::new(),
        content_sha256: "ab".repeat(32),
    }
}

pub fn probe_of(variant_seconds: &[f64]) -> StreamProbe {
    StreamProbe { variant_seconds: variant_seconds.to_vec(), ..probe() }
}

pub fn stream_facts() -> StreamFacts {
    StreamFacts {
        measured_duration_ms: MILLISECONDS,
        shortest_variant_ms: None,
        variant_count: 1,
        encryption: Encryption::Clear,
        drm_systems: Vec::new(),
        content_sha256: "ab".repeat(32),
    }
}

pub fn source(n: u128) -> NewStreamSource {
    NewStreamSource {
        stream_source_id: source_id(n),
        sealed_url: SealedUrl::from_text(format!("sealed-{n}")),
        quality_tag: Some(QualityTag::parse("1080p").unwrap()),
        drm_required: false,
        primary: false,
        probe: probe(),
    }
}

pub fn attach(source: NewStreamSource) -> MovieCommand {
    MovieCommand::AttachStreamSource(Box::new(source))
}

pub fn attached(n: u128, primary: bool, stamp: Stamp) -> MovieEvent {
    MovieEvent::StreamSourceAttached {
        stream_source_id: source_id(n),
        sealed_url: SealedUrl::from_text(format!("sealed-{n}")),
        quality_tag: Some(QualityTag::parse("1080p").unwrap()),
        drm_required: false,
        primary,
        last_validated_at: stamp.updated_at,
        validation_status: ValidationStatus::Valid,
        facts: stream_facts(),
        stamp,
    }
}

pub fn failed<F>(rule: &str) -> ValidationOutcome<F> {
    ValidationOutcome::Failed { rule: rule.to_owned() }
}

/// A later probe could not read the source.
pub fn source_failed(n: u128, rule: &str, stamp: Stamp) -> MovieEvent {
    MovieEvent::StreamSourceValidated {
        stream_source_id: source_id(n),
        last_validated_at: stamp.updated_at,
        validation_status: ValidationStatus::Invalid,
        failed_rule: Some(rule.to_owned()),
        facts: None,
        stamp,
    }
}

pub fn caption_facts() -> CaptionFacts {
    CaptionFacts { content_sha256: "cd".repeat(32), cue_count: 3 }
}

pub fn caption_url(code: &str) -> CaptionUrl {
    CaptionUrl::parse(&format!("https://captions.example/{code}.vtt")).unwrap()
}

pub fn caption(n: u128, code: &str) -> NewCaptionTrack {
    NewCaptionTrack {
        caption_track_id: caption_id(n),
        language_code: language(code),
        caption_url: caption_url(code),
        format: CaptionFormat::WebVtt,
        is_default: false,
        facts: caption_facts(),
    }
}

pub fn add(track: NewCaptionTrack) -> MovieCommand {
    MovieCommand::AddCaptionTrack(Box::new(track))
}

pub fn added(n: u128, code: &str, is_default: bool, stamp: Stamp) -> MovieEvent {
    MovieEvent::CaptionTrackAdded {
        caption_track_id: caption_id(n),
        language_code: language(code),
        caption_url: caption_url(code),
        format: CaptionFormat::WebVtt,
        is_default,
        last_validated_at: stamp.updated_at,
        validation_status: ValidationStatus::Valid,
        facts: caption_facts(),
        stamp,
    }
}

/// HIDDEN, with nothing to show.
pub fn draft() -> Vec<MovieEvent> {
    vec![created(earlier())]
}

/// HIDDEN, but it could be shown: primary source 1, source 2, default caption 1 in English,
/// caption 2 in German.
pub fn ready() -> Vec<MovieEvent> {
    vec![
        created(earlier()),
        attached(1, true, earlier()),
        attached(2, false, earlier()),
        added(1, "en", true, earlier()),
        added(2, "de", false, earlier()),
    ]
}

/// `ready`, and VISIBLE.
pub fn visible() -> Vec<MovieEvent> {
    and(ready(), [MovieEvent::MovieShown { stamp: earlier() }])
}

pub fn and(
    mut history: Vec<MovieEvent>,
    more: impl IntoIterator<Item = MovieEvent>,
) -> Vec<MovieEvent> {
    history.extend(more);
    history
}
