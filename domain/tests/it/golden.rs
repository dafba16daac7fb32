//! Golden files: one for each event type and version ever released. What was written once is read
//! for ever, so these files are only ever added to.

use std::{collections::BTreeSet, fs, path::PathBuf};

use cqrs_es::DomainEvent;
use marquee_domain::{
    CaptionTrackId, MovieEvent, MovieId, StreamSourceId, UserId,
    movie::{EventName, EventType, Stamp, decode, decode_value},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, Encryption, PosterUrl,
        QualityTag, SealedUrl, Slug, StreamFacts, Synopsis, ValidationStatus, Visibility,
    },
};
use serde_json::{Value, json};

use crate::given::{genres, instant, language, minutes, title};

/// The names of all event types, from the one place that cannot forget any: the decoder, which lists
/// them when it is given one that it does not know.
pub fn decodable_names() -> BTreeSet<String> {
    let error = serde_json::from_value::<MovieEvent>(json!({"type": ""})).unwrap_err().to_string();
    let names: BTreeSet<String> = error
        .split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .filter(|n| !n.is_empty())
        .collect();
    assert!(names.contains("MovieCreated"), "{error}");
    names
}

/// Every type that was ever released, oldest version first.
pub fn event_types() -> Vec<EventType> {
    EventName::ALL
        .into_iter()
        .flat_map(|name| {
            (1..=name.current_version()).map(move |n| EventType::new(name, n).unwrap())
        })
        .collect()
}

pub fn file_name(event_type: EventType) -> String {
    format!("{}.v{}.json", event_type.name(), event_type.version())
}

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden"].iter().collect()
}

pub fn text(event_type: EventType) -> String {
    let name = file_name(event_type);
    fs::read_to_string(directory().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn current(event: &MovieEvent) -> EventType {
    EventType::current(event.event_name())
}

#[test]
fn every_event_type_has_a_golden_file_and_every_file_an_event_type() {
    let names: BTreeSet<String> = EventName::ALL.into_iter().map(|name| name.to_string()).collect();
    assert_eq!(names, decodable_names());
    let files: BTreeSet<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, event_types().into_iter().map(file_name).collect());

    let tested: BTreeSet<String> =
        expected_events().iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(tested, names);
}

#[test]
fn every_golden_file_is_read_as_the_event_it_was() {
    for event in expected_events() {
        for event_type in event_types() {
            if event_type.name() == event.event_name() {
                let read = decode(&event_type.to_string(), &text(event_type)).unwrap();
                assert_eq!(read, event, "{event_type}");
            }
        }
    }
}

#[test]
fn every_event_is_written_as_in_its_golden_file() {
    for event in expected_events() {
        let golden: Value = serde_json::from_str(&text(current(&event))).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), golden, "{}", event.name());
        assert_eq!(event.event_type(), current(&event).to_string());
        assert_eq!(event.event_version(), current(&event).version().to_string());
    }
}

#[test]
fn a_golden_file_says_nothing_that_is_not_read() {
    // Were a field renamed with a default, the file would still decode, without what it said. So each
    // field that is taken away must be missed, or make another event.
    for event_type in event_types() {
        let golden: Value = serde_json::from_str(&text(event_type)).unwrap();
        let event = decode_value(event_type, golden.clone()).unwrap();
        for field in golden.as_object().unwrap().keys() {
            let mut without = golden.clone();
            without.as_object_mut().unwrap().remove(field);
            let read = decode_value(event_type, without);
            assert!(read.ok().is_none_or(|read| read != event), "{event_type}: {field}");
        }
    }
}

#[test]
fn what_an_event_may_leave_out_is_read_as_absent() {
    let stamp = json!({
        "updated_at": "2026-03-02T10:15:30.123456Z",
        "updated_by": "0195a1b2-0000-7000-8000-0000000000b2",
    });
    let with = |fields: Value| {
        let mut event = stamp.clone();
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value::<MovieEvent>(event).unwrap()
    };
    assert_eq!(
        with(json!({"type": "MovieDetailsRevised", "duration_minutes": 212})),
        MovieEvent::MovieDetailsRevised {
            synopsis: None,
            genres: None,
            duration_minutes: Some(minutes(212)),
            poster_url: None,
            stamp: updated(),
        }
    );
    assert_eq!(
        with(json!({
            "type": "StreamSourceValidated",
            "stream_source_id": source_id(),
            "last_validated_at": "2026-03-02T10:15:30.123456Z",
            "validation_status": "INVALID",
            "failed_rule": "unreachable",
        })),
        MovieEvent::StreamSourceValidated {
            stream_source_id: source_id(),
            last_validated_at: updated().updated_at,
            validation_status: ValidationStatus::Invalid,
            failed_rule: Some("unreachable".to_owned()),
            facts: None,
            stamp: updated(),
        }
    );
}

fn source_id() -> StreamSourceId {
    "0195a1b2-0000-7000-8000-000000000051".parse().unwrap()
}

fn track_id() -> CaptionTrackId {
    "0195a1b2-0000-7000-8000-0000000000c1".parse().unwrap()
}

fn created_by() -> UserId {
    "0195a1b2-0000-7000-8000-0000000000a1".parse().unwrap()
}

fn updated() -> Stamp {
    Stamp {
        updated_at: instant("2026-03-02T10:15:30.123456Z"),
        updated_by: "0195a1b2-0000-7000-8000-0000000000b2".parse().unwrap(),
    }
}

fn stream_facts() -> StreamFacts {
    StreamFacts {
        measured_duration_ms: 12_719_167,
        shortest_variant_ms: Some(12_718_999),
        variant_count: 4,
        encryption: Encryption::Drm,
        drm_systems: vec!["FAIRPLAY".to_owned(), "WIDEVINE".to_owned()],
        content_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
            .to_owned(),
    }
}

fn caption_facts() -> CaptionFacts {
    CaptionFacts {
        content_sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
            .to_owned(),
        cue_count: 1_482,
    }
}

/// What the golden files say, one event of each type with all of its fields.
fn expected_events() -> Vec<MovieEvent> {
    let stamp = updated();
    let movie_id: MovieId = "0195a1b2-0000-7000-8000-000000000001".parse().unwrap();
    let synopsis = Synopsis::parse("A prince of Judea is betrayed by a friend.").unwrap();
    let poster_url = PosterUrl::parse("https://img.example/ben-hur.jpg").unwrap();
    let availability =
        AvailabilityWindow::new(instant("2026-04-01T00:00:00Z"), instant("2027-04-01T00:00:00Z"))
            .unwrap();
    vec![
        MovieEvent::MovieCreated {
            movie_id,
            title: title("Ben-Hur"),
            slug: Slug::parse("ben-hur").unwrap(),
            synopsis: synopsis.clone(),
            genres: genres(&["Adventure", "Drama"]),
            duration_minutes: minutes(212),
            availability,
            visibility: Visibility::Hidden,
            poster_url: poster_url.clone(),
            created_at: instant("2026-03-01T09:00:00.000001Z"),
            created_by: created_by(),
        },
        MovieEvent::MovieRetitled {
            title: title("Ben-Hur (1959)"),
            previous_title: title("Ben-Hur"),
            stamp,
        },
        MovieEvent::MovieDetailsRevised {
            synopsis: Some(synopsis),
            genres: Some(genres(&["Epic"])),
            duration_minutes: Some(minutes(212)),
            poster_url: Some(poster_url),
            stamp,
        },
        MovieEvent::AvailabilityRescheduled { availability, stamp },
        MovieEvent::MovieShown { stamp },
        MovieEvent::MovieHidden { stamp },
        MovieEvent::MovieRemoved { stamp },
        MovieEvent::StreamSourceAttached {
            stream_source_id: source_id(),
            sealed_url: SealedUrl::from_text("v1.c2VhbGVkLXN0cmVhbS11cmw"),
            quality_tag: Some(QualityTag::parse("1080p").unwrap()),
            drm_required: true,
            primary: true,
            last_validated_at: stamp.updated_at,
            validation_status: ValidationStatus::Valid,
            facts: stream_facts(),
            stamp,
        },
        MovieEvent::StreamSourceValidated {
            stream_source_id: source_id(),
            last_validated_at: stamp.updated_at,
            validation_status: ValidationStatus::Invalid,
            failed_rule: Some("duration_mismatch".to_owned()),
            facts: Some(stream_facts()),
            stamp,
        },
        MovieEvent::PrimaryStreamSourceChanged { stream_source_id: source_id(), stamp },
        MovieEvent::StreamSourceDetached { stream_source_id: source_id(), stamp },
        MovieEvent::CaptionTrackAdded {
            caption_track_id: track_id(),
            language_code: language("en"),
            caption_url: CaptionUrl::parse("https://captions.example/ben-hur/en.vtt").unwrap(),
            format: CaptionFormat::WebVtt,
            is_default: true,
            last_validated_at: stamp.updated_at,
            validation_status: ValidationStatus::Valid,
            facts: caption_facts(),
            stamp,
        },
        MovieEvent::CaptionTrackReplaced {
            caption_track_id: track_id(),
            language_code: language("en"),
            caption_url: CaptionUrl::parse("https://captions.example/ben-hur/en.ttml").unwrap(),
            format: CaptionFormat::Ttml,
            last_validated_at: stamp.updated_at,
            validation_status: ValidationStatus::Valid,
            facts: caption_facts(),
            stamp,
        },
        MovieEvent::CaptionTrackValidated {
            caption_track_id: track_id(),
            last_validated_at: stamp.updated_at,
            validation_status: ValidationStatus::Invalid,
            failed_rule: Some("not_webvtt".to_owned()),
            facts: Some(caption_facts()),
            stamp,
        },
        MovieEvent::DefaultCaptionChanged { caption_track_id: track_id(), stamp },
        MovieEvent::CaptionTrackRemoved { caption_track_id: track_id(), stamp },
    ]
}
