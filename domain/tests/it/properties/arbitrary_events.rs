//! Events of every type in any order, as a damaged or foreign log might have them.

use chrono::{DateTime, Utc};
use marquee_domain::{
    Movie, MovieEvent, UserId, evolve,
    movie::Stamp,
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, Encryption, Genres, QualityTag, SealedUrl,
        Slug, StreamFacts, Synopsis, Title, ValidationStatus, Visibility,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use super::{commands::steps, histories::live};
use crate::given::{caption_id, caption_url, creation, language, minutes, movie_id, source_id};

pub fn event() -> impl Strategy<Value = MovieEvent> {
    prop_oneof![7 => event_of_the_movie(), 4 => event_of_a_source(), 5 => event_of_a_track()]
}

fn event_of_the_movie() -> impl Strategy<Value = MovieEvent> {
    prop_oneof![
        (title(), synopsis(), genres(), 1..=10_000_u64, window(), visibility(), stamp()).prop_map(
            |(title, synopsis, genres, duration, availability, visibility, stamp)| {
                MovieEvent::MovieCreated {
                    movie_id: movie_id(),
                    slug: Slug::from_title(&title),
                    title,
                    synopsis,
                    genres,
                    duration_minutes: minutes(duration),
                    availability,
                    visibility,
                    poster_url: creation().poster_url,
                    created_at: stamp.updated_at,
                    created_by: stamp.updated_by,
                }
            }
        ),
        (title(), title(), stamp()).prop_map(|(title, previous_title, stamp)| {
            MovieEvent::MovieRetitled { title, previous_title, stamp }
        }),
        (option::of(synopsis()), option::of(genres()), option::of(1..=10_000_u64), stamp())
            .prop_map(|(synopsis, genres, duration, stamp)| MovieEvent::MovieDetailsRevised {
                synopsis,
                genres,
                duration_minutes: duration.map(minutes),
                poster_url: duration.map(|_| creation().poster_url),
                stamp,
            }),
        (window(), stamp()).prop_map(|(availability, stamp)| {
            MovieEvent::AvailabilityRescheduled { availability, stamp }
        }),
        stamp().prop_map(|stamp| MovieEvent::MovieShown { stamp }),
        stamp().prop_map(|stamp| MovieEvent::MovieHidden { stamp }),
        stamp().prop_map(|stamp| MovieEvent::MovieRemoved { stamp }),
    ]
}

fn event_of_a_source() -> impl Strategy<Value = MovieEvent> {
    let source = || (0..3_u128).prop_map(source_id);
    prop_oneof![
        (source(), tag(), any::<bool>(), any::<bool>(), status(), facts(), stamp()).prop_map(
            |(stream_source_id, quality_tag, drm_required, primary, status, facts, stamp)| {
                MovieEvent::StreamSourceAttached {
                    stream_source_id,
                    sealed_url: SealedUrl::from_text("v1.key.sealed"),
                    quality_tag,
                    drm_required,
                    primary,
                    last_validated_at: stamp.updated_at,
                    validation_status: status,
                    facts,
                    stamp,
                }
            }
        ),
        (source(), status(), option::of("\\PC{0,9}"), option::of(facts()), stamp()).prop_map(
            |(stream_source_id, validation_status, failed_rule, facts, stamp)| {
                MovieEvent::StreamSourceValidated {
                    stream_source_id,
                    last_validated_at: stamp.updated_at,
                    validation_status,
                    failed_rule,
                    facts,
                    stamp,
                }
            }
        ),
        (source(), stamp()).prop_map(|(stream_source_id, stamp)| {
            MovieEvent::PrimaryStreamSourceChanged { stream_source_id, stamp }
        }),
        (source(), stamp()).prop_map(|(stream_source_id, stamp)| {
            MovieEvent::StreamSourceDetached { stream_source_id, stamp }
        }),
    ]
}

fn event_of_a_track() -> impl Strategy<Value = MovieEvent> {
    let track = || (0..3_u128).prop_map(caption_id);
    prop_oneof![
        (track(), code(), format(), any::<bool>(), status(), caption_facts(), stamp()).prop_map(
            |(caption_track_id, code, format, is_default, validation_status, facts, stamp)| {
                MovieEvent::CaptionTrackAdded {
                    caption_track_id,
                    language_code: language(code),
                    caption_url: caption_url(code),
                    format,
                    is_default,
                    last_validated_at: stamp.updated_at,
                    validation_status,
                    facts,
                    stamp,
                }
            }
        ),
        (track(), code(), format(), status(), caption_facts(), stamp()).prop_map(
            |(caption_track_id, code, format, validation_status, facts, stamp)| {
                MovieEvent::CaptionTrackReplaced {
                    caption_track_id,
                    language_code: language(code),
                    caption_url: caption_url(code),
                    format,
                    last_validated_at: stamp.updated_at,
                    validation_status,
                    facts,
                    stamp,
                }
            }
        ),
        (track(), status(), option::of("\\PC{0,9}"), option::of(caption_facts()), stamp())
            .prop_map(|(caption_track_id, validation_status, failed_rule, facts, stamp)| {
                MovieEvent::CaptionTrackValidated {
                    caption_track_id,
                    last_validated_at: stamp.updated_at,
                    validation_status,
                    failed_rule,
                    facts,
                    stamp,
                }
            }),
        (track(), stamp()).prop_map(|(caption_track_id, stamp)| {
            MovieEvent::DefaultCaptionChanged { caption_track_id, stamp }
        }),
        (track(), stamp()).prop_map(|(caption_track_id, stamp)| {
            MovieEvent::CaptionTrackRemoved { caption_track_id, stamp }
        }),
    ]
}

/// The years that MySQL's DATETIME has and the API accepts, to the microsecond.
fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (0..253_402_300_800_000_000_i64)
        .prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap())
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (moment(), any::<u128>()).prop_map(|(updated_at, user)| Stamp {
        updated_at,
        updated_by: UserId::new(Uuid::from_u128(user)),
    })
}

fn window() -> impl Strategy<Value = AvailabilityWindow> {
    (moment(), moment()).prop_filter_map("start and end differ", |(one, other)| {
        AvailabilityWindow::new(one.min(other), one.max(other)).ok()
    })
}

fn title() -> impl Strategy<Value = Title> {
    "\\PC{1,20}".prop_filter_map("a title", |text| Title::parse(&text).ok())
}

fn synopsis() -> impl Strategy<Value = Synopsis> {
    "[\\PC\n\t]{1,40}".prop_filter_map("a synopsis", |text| Synopsis::parse(&text).ok())
}

fn genres() -> impl Strategy<Value = Genres> {
    vec("\\PC{1,9}", 1..4).prop_filter_map("genres", |all| Genres::parse(&all).ok())
}

fn tag() -> impl Strategy<Value = Option<QualityTag>> {
    option::of("[A-Za-z0-9._-]{1,16}".prop_map(|tag| QualityTag::parse(&tag).unwrap()))
}

fn visibility() -> impl Strategy<Value = Visibility> {
    select(vec![Visibility::Visible, Visibility::Hidden])
}

fn status() -> impl Strategy<Value = ValidationStatus> {
    select(vec![ValidationStatus::Valid, ValidationStatus::Invalid, ValidationStatus::Unknown])
}

fn code() -> impl Strategy<Value = &'static str> {
    select(vec!["en", "de", "zh"])
}

fn format() -> impl Strategy<Value = CaptionFormat> {
    select(vec![CaptionFormat::WebVtt, CaptionFormat::Ttml])
}

/// Up to 30 years.
fn milliseconds() -> impl Strategy<Value = u64> {
    0..=1_000_000_000_000_u64
}

fn facts() -> impl Strategy<Value = StreamFacts> {
    let encryption = select(vec![Encryption::Clear, Encryption::Aes128, Encryption::Drm]);
    (milliseconds(), option::of(milliseconds()), any::<u32>(), encryption, vec("[A-Z]{1,9}", 0..3))
        .prop_map(|(longest, shortest, variant_count, encryption, drm_systems)| StreamFacts {
            measured_duration_ms: longest,
            shortest_variant_ms: shortest,
            variant_count,
            encryption,
            drm_systems,
            content_sha256: "ab".repeat(32),
        })
}

fn caption_facts() -> impl Strategy<Value = CaptionFacts> {
    any::<u32>().prop_map(|cue_count| CaptionFacts { content_sha256: "cd".repeat(32), cue_count })
}

proptest! {
    #[test]
    fn evolve_takes_any_events_in_any_order(events in vec(event(), 0..60)) {
        let mut movie = Movie::default();
        for event in &events {
            let before = movie.clone();
            evolve(&mut movie, event);
            if let (Movie::Listed(before), Movie::Listed(after)) = (&before, &movie) {
                prop_assert_eq!(&before.slug, &after.slug);
            }
        }
    }

    #[test]
    fn evolve_takes_an_accepted_history_in_any_order(
        events in steps().prop_map(|steps| live(steps).events).prop_shuffle()
    ) {
        let mut movie = Movie::default();
        for event in &events {
            evolve(&mut movie, event);
        }
    }
}
