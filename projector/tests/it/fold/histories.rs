//! Random lives of movies, of commands that the domain accepts: every kind of event comes up.

use chrono::TimeDelta;
use fastrand::Rng;
use marquee_domain::{
    CaptionTrackId, Movie, MovieCommand, MovieId, StreamSourceId,
    movie::{
        CreateMovie, ListedMovie, NewCaptionTrack, NewStreamSource, RevisePatch, Trigger,
        ValidationOutcome,
    },
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Encryption,
        Genres, LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamProbe, Synopsis, Title,
        Visibility,
    },
};
use uuid::Uuid;

use crate::samples::Log;

const TITLES: [&str; 5] =
    ["Ben-Hur", "Amélie", "千と千尋の神隠し", "\"Quoted\" \\ 'back'", "🎬 Straße"];

/// A log of so many movies, and of as many of these commands as were accepted.
pub fn random(choice: &mut Rng, movies: usize, commands: usize) -> Log {
    let mut log = Log::new();
    let mut ids: Vec<MovieId> = Vec::new();
    for number in 0..commands {
        // Movies come up all the time, and each lives on while later ones do.
        let due = number * movies / commands >= ids.len();
        if ids.is_empty() || due {
            let movie_id = MovieId::new(Uuid::from_u128(choice.u128(..)));
            let create = create(choice, movie_id, ids.len(), &log);
            log.command(movie_id, create);
            ids.push(movie_id);
            continue;
        }
        let movie_id = ids[choice.usize(..ids.len())];
        if let (Movie::Listed(movie), _) = log.fold(movie_id) {
            let command = command(choice, &movie);
            // What is refused leaves nothing in a log.
            drop(log.attempt(movie_id, command));
        }
    }
    log
}

fn create(choice: &mut Rng, movie_id: MovieId, number: usize, log: &Log) -> MovieCommand {
    let title = Title::parse(&format!("{} {number}", pick(choice, &TITLES))).unwrap();
    MovieCommand::Create(Box::new(CreateMovie {
        movie_id,
        slug: Slug::from_title(&title),
        title,
        synopsis: synopsis(choice),
        genres: genres(choice),
        duration_minutes: DurationMinutes::parse(100).unwrap(),
        availability: AvailabilityWindow::new(
            log.now() + TimeDelta::seconds(choice.i64(1_000..1_000_000)),
            log.now() + TimeDelta::days(100),
        )
        .unwrap(),
        visibility: Visibility::Hidden,
        poster_url: poster(choice),
        stream_sources: (0..choice.usize(..3)).map(|_| source(choice)).collect(),
        caption_tracks: pick(choice, &[&[][..], &["en"], &["de", "fr"]])
            .iter()
            .map(|language| track(choice, language))
            .collect(),
    }))
}

fn command(choice: &mut Rng, movie: &ListedMovie) -> MovieCommand {
    match choice.u8(..30) {
        0 => MovieCommand::Remove,
        1..=6 => MovieCommand::SetVisibility(Visibility::Visible),
        7..=8 => MovieCommand::SetVisibility(Visibility::Hidden),
        9..=15 => of_a_source(choice, movie),
        16..=23 => of_a_track(choice, movie),
        _ => MovieCommand::Revise(Box::new(patch(choice, movie))),
    }
}

fn of_a_source(choice: &mut Rng, movie: &ListedMovie) -> MovieCommand {
    let id = choice.choice(&movie.stream_sources).map(|source| source.stream_source_id);
    match (choice.u8(..4), id) {
        (0, Some(id)) => MovieCommand::PromoteStreamSource(id),
        (1, Some(id)) => MovieCommand::DetachStreamSource(id),
        (2, Some(id)) => {
            let probe = choice.bool().then(|| probe(choice));
            MovieCommand::RecordStreamValidation(id, outcome(probe), Trigger::Request)
        }
        _ => MovieCommand::AttachStreamSource(Box::new(source(choice))),
    }
}

fn of_a_track(choice: &mut Rng, movie: &ListedMovie) -> MovieCommand {
    let held = choice.choice(&movie.caption_tracks);
    match (choice.u8(..6), held) {
        (0, Some(held)) => MovieCommand::SetDefaultCaption(held.caption_track_id),
        (1, Some(held)) => MovieCommand::RemoveCaptionTrack(held.caption_track_id),
        (2, Some(held)) => {
            let facts = choice.bool().then(|| caption_facts(choice));
            let id = held.caption_track_id;
            MovieCommand::RecordCaptionValidation(id, outcome(facts), Trigger::Request)
        }
        (3, Some(held)) => {
            let track = track(choice, held.language_code.as_str());
            let caption_track_id = held.caption_track_id;
            MovieCommand::ReplaceCaptionTrack(Box::new(NewCaptionTrack {
                caption_track_id,
                ..track
            }))
        }
        _ => {
            let language = *pick(choice, &["en", "de", "fr", "zh"]);
            MovieCommand::AddCaptionTrack(Box::new(track(choice, language)))
        }
    }
}

fn outcome<F>(read: Option<F>) -> ValidationOutcome<F> {
    let failed = ValidationOutcome::Failed { rule: "unreachable".to_owned() };
    read.map_or(failed, ValidationOutcome::Read)
}

fn patch(choice: &mut Rng, movie: &ListedMovie) -> RevisePatch {
    let title = || Title::parse(&format!("{} ~", movie.title)).ok();
    let end = movie.availability.end();
    RevisePatch {
        title: choice.bool().then(title).flatten(),
        synopsis: choice.bool().then(|| synopsis(choice)),
        genres: choice.bool().then(|| genres(choice)),
        duration_minutes: (choice.u8(..4) == 0).then(|| DurationMinutes::parse(101).unwrap()),
        poster_url: (choice.u8(..4) == 0).then(|| poster(choice)),
        availability_start: None,
        availability_end: (choice.u8(..3) == 0).then(|| end + TimeDelta::microseconds(1)),
    }
}

fn source(choice: &mut Rng) -> NewStreamSource {
    NewStreamSource {
        stream_source_id: StreamSourceId::new(Uuid::from_u128(choice.u128(..))),
        sealed_url: SealedUrl::from_text(format!("v1.local.{:016x}", choice.u64(..))),
        quality_tag: choice.bool().then(|| QualityTag::parse("1080p").unwrap()),
        drm_required: false,
        primary: choice.bool(),
        probe: probe(choice),
    }
}

fn probe(choice: &mut Rng) -> StreamProbe {
    StreamProbe {
        variant_seconds: vec![6_000.0, f64::from(choice.u32(5_999_001..6_001_000)) / 1_000.0],
        ended: true,
        encryption: *pick(choice, &[Encryption::Clear, Encryption::Aes128]),
        drm_systems: Vec::new(),
        content_sha256: format!("{:064x}", choice.u128(..)),
    }
}

fn track(choice: &mut Rng, language: &str) -> NewCaptionTrack {
    NewCaptionTrack {
        caption_track_id: CaptionTrackId::new(Uuid::from_u128(choice.u128(..))),
        language_code: LanguageCode::parse(language).unwrap(),
        caption_url: CaptionUrl::parse(&format!("https://example.org/{}.vtt", choice.u16(..)))
            .unwrap(),
        format: *pick(choice, &[CaptionFormat::WebVtt, CaptionFormat::Ttml]),
        is_default: choice.bool(),
        facts: caption_facts(choice),
    }
}

fn caption_facts(choice: &mut Rng) -> CaptionFacts {
    CaptionFacts {
        content_sha256: format!("{:064x}", choice.u128(..)),
        cue_count: choice.u32(1..900),
    }
}

fn synopsis(choice: &mut Rng) -> Synopsis {
    let text =
        *pick(choice, &["Somebody wants\n\tsomething.", "Ελλάδα — \u{1f3ac}", "\\n \"%\" _"]);
    Synopsis::parse(&format!("{text} {}", choice.u32(..))).unwrap()
}

fn genres(choice: &mut Rng) -> Genres {
    let mut all = ["Drama", "Ελληνικά", "Sci-Fi & Fantasy", "Короткий"];
    choice.shuffle(&mut all);
    Genres::parse(&all[..choice.usize(1..4)]).unwrap()
}

fn poster(choice: &mut Rng) -> PosterUrl {
    PosterUrl::parse(&format!("https://example.org/{}.jpg", choice.u16(..))).unwrap()
}

fn pick<'a, T>(choice: &mut Rng, from: &'a [T]) -> &'a T {
    &from[choice.usize(..from.len())]
}

#[test]
fn random_lives_have_every_kind_of_event() {
    let mut kinds: Vec<String> = random(&mut Rng::with_seed(1), 40, 800)
        .events
        .iter()
        .map(|recorded| cqrs_es::DomainEvent::event_type(&recorded.event))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    // All 16 of docs/events.md.
    assert_eq!(kinds.len(), 16, "{kinds:?}");
}
