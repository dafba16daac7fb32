//! Random commands: most of them sensible, some not, on few enough ids and languages to collide.

use marquee_domain::{
    Context, MovieCommand, UserId,
    movie::{
        CreateMovie, NewCaptionTrack, NewStreamSource, RevisePatch, Trigger, ValidationOutcome,
    },
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, DurationMinutes, Encryption, Genres,
        PosterUrl, StreamProbe, Synopsis, Title, Visibility,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use crate::given::{
    self, caption_id, caption_url, creation, instant, language, movie_id, source_id, window,
};

/// A command, and when and by whom it is given.
#[derive(Debug, Clone)]
pub struct Step {
    pub command: MovieCommand,
    pub context: Context,
}

/// The steps of one movie's life, in the order of time.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Without a Create there is nothing to try: the first one is nearly always one.
    let first = prop_oneof![9 => create(), 1 => command()];
    (first, vec(command(), 0..40), vec((1..100_000_i64, 0..3_u128), 41)).prop_map(
        |(first, rest, clock)| {
            let mut now = instant("2030-01-01T00:00:00Z");
            std::iter::once(first)
                .chain(rest)
                .zip(clock)
                .map(|(command, (seconds, actor))| {
                    now += chrono::TimeDelta::microseconds(seconds * 1_000_003);
                    let actor = UserId::new(Uuid::from_u128(actor));
                    Step { command, context: Context { now, actor } }
                })
                .collect()
        },
    )
}

pub fn command() -> impl Strategy<Value = MovieCommand> {
    let source = (0..4_u128).prop_map(source_id);
    let track = (0..4_u128).prop_map(caption_id);
    prop_oneof![
        1 => create(),
        6 => revision().prop_map(|patch| MovieCommand::Revise(Box::new(patch))),
        8 => visibility().prop_map(MovieCommand::SetVisibility),
        1 => Just(MovieCommand::Remove),
        8 => stream_source().prop_map(given::attach),
        6 => (source.clone(), outcome(probe()), trigger()).prop_map(|(id, outcome, trigger)| {
            MovieCommand::RecordStreamValidation(id, outcome, trigger)
        }),
        4 => source.clone().prop_map(MovieCommand::PromoteStreamSource),
        4 => source.prop_map(MovieCommand::DetachStreamSource),
        8 => caption_track().prop_map(given::add),
        4 => caption_track().prop_map(|new| MovieCommand::ReplaceCaptionTrack(Box::new(new))),
        4 => (track.clone(), outcome(caption_facts()), trigger()).prop_map(|(id, outcome, trigger)| {
            MovieCommand::RecordCaptionValidation(id, outcome, trigger)
        }),
        4 => track.clone().prop_map(MovieCommand::SetDefaultCaption),
        4 => track.prop_map(MovieCommand::RemoveCaptionTrack),
    ]
}

fn create() -> impl Strategy<Value = MovieCommand> {
    (
        title(),
        visibility(),
        prop_oneof![9 => Just(window()), 1 => past_window()],
        vec(stream_source(), 0..4),
        vec(caption_track(), 0..4),
    )
        .prop_map(|(title, visibility, availability, stream_sources, caption_tracks)| {
            given::create(CreateMovie {
                movie_id: movie_id(),
                title,
                visibility,
                availability,
                stream_sources,
                caption_tracks,
                ..creation()
            })
        })
}

fn revision() -> impl Strategy<Value = RevisePatch> {
    let day = |n: i64| instant("2030-02-01T00:00:00Z") + chrono::TimeDelta::days(n);
    (
        option::of(title()),
        option::of("[a-z]{1,9}".prop_map(|text| Synopsis::parse(&text).unwrap())),
        option::of(vec("[A-Za-z]{1,2}", 1..4).prop_map(|all| Genres::parse(&all).unwrap())),
        option::weighted(0.2, duration()),
        option::of("[a-z]{1,9}".prop_map(|host| {
            PosterUrl::parse(&format!("https://{host}.example/poster.jpg")).unwrap()
        })),
        option::weighted(0.3, (-400..400_i64).prop_map(day)),
        option::weighted(0.3, (-400..400_i64).prop_map(day)),
    )
        .prop_map(|(title, synopsis, genres, duration_minutes, poster_url, start, end)| {
            RevisePatch {
                title,
                synopsis,
                genres,
                duration_minutes,
                poster_url,
                availability_start: start,
                availability_end: end,
            }
        })
}

fn stream_source() -> impl Strategy<Value = NewStreamSource> {
    (0..4_u128, prop::bool::weighted(0.1), any::<bool>(), probe()).prop_map(
        |(n, drm_required, primary, probe)| NewStreamSource {
            drm_required,
            primary,
            probe,
            ..given::source(n)
        },
    )
}

fn caption_track() -> impl Strategy<Value = NewCaptionTrack> {
    let format = select(vec![CaptionFormat::WebVtt, CaptionFormat::Ttml]);
    (0..4_u128, select(vec!["en", "de", "fr", "zh"]), format, any::<bool>(), caption_facts())
        .prop_map(|(n, code, format, is_default, facts)| NewCaptionTrack {
            caption_track_id: caption_id(n),
            language_code: language(code),
            caption_url: caption_url(code),
            format,
            is_default,
            facts,
        })
}

/// Mostly a stream of about 90 minutes.
fn probe() -> impl Strategy<Value = StreamProbe> {
    let seconds = prop_oneof![
        30 => 5_340.0..=5_460.0,
        1 => 0.0..20_000.0,
        1 => any::<f64>(),
    ];
    let encryption = prop_oneof![
        10 => Just(Encryption::Clear),
        1 => Just(Encryption::Aes128),
        2 => Just(Encryption::Drm),
    ];
    (vec(seconds, 1..4), prop::bool::weighted(0.95), encryption, sha256()).prop_map(
        |(variant_seconds, ended, encryption, content_sha256)| StreamProbe {
            variant_seconds,
            ended,
            encryption,
            drm_systems: match encryption {
                Encryption::Drm => vec!["FAIRPLAY".to_owned(), "WIDEVINE".to_owned()],
                Encryption::Clear | Encryption::Aes128 => Vec::new(),
            },
            content_sha256,
        },
    )
}

fn outcome<F: Clone + std::fmt::Debug>(
    facts: impl Strategy<Value = F>,
) -> impl Strategy<Value = ValidationOutcome<F>> {
    prop_oneof![
        2 => facts.prop_map(ValidationOutcome::Read),
        1 => "[a-z_]{1,12}".prop_map(|rule| ValidationOutcome::Failed { rule }),
    ]
}

fn caption_facts() -> impl Strategy<Value = CaptionFacts> {
    (sha256(), 0..3_u32)
        .prop_map(|(content_sha256, cue_count)| CaptionFacts { content_sha256, cue_count })
}

/// One of two contents.
fn sha256() -> impl Strategy<Value = String> {
    select(vec!["ab".repeat(32), "cd".repeat(32)])
}

fn title() -> impl Strategy<Value = Title> {
    select(vec!["Ben-Hur", "BEN-HUR", "Dune", "Amélie", "千と千尋の神隠し"]).prop_map(given::title)
}

fn duration() -> impl Strategy<Value = DurationMinutes> {
    prop_oneof![4 => 89..=91_u64, 1 => 1..=10_000_u64].prop_map(given::minutes)
}

fn visibility() -> impl Strategy<Value = Visibility> {
    select(vec![Visibility::Visible, Visibility::Hidden])
}

fn past_window() -> impl Strategy<Value = AvailabilityWindow> {
    Just(AvailabilityWindow::new(instant("2020-01-01T00:00:00Z"), window().end()).unwrap())
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop_oneof![Just(Trigger::Request), Just(Trigger::Schedule)]
}
