//! Golden files: one for each event type and version ever released. What was written once is read
//! for ever, so these files are only ever added to.

use std::{collections::BTreeSet, fs, path::PathBuf};

use cqrs_es::DomainEvent;
use marquee_domain::{
    CaptionTrackId, MovieEvent, MovieId, StreamSourceId, UserId,
    movie::Stamp,
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, Encryption, PosterUrl,
        QualityTag, SealedUrl, Slug, StreamFacts, Synopsis, ValidationStatus, Visibility,
    },
};
use serde_json::{Value, json};

use crate::given::{genres, instant, language, minutes, title};

/// The names of all event types, from the one place that cannot forget any: the decoder, which lists
/// them when it is given one that it does not know.
pub fn event_names() -> BTreeSet<String> {
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

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden"].iter().collect()
}

fn text(event: &MovieEvent) -> String {
    let name = format!("{}.v{}.json", event.name(), event.event_version());
    fs::read_to_string(directory().join(&name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_event_type_has_a_golden_file_and_every_file_an_event_type() {
    let files: BTreeSet<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = event_names().iter().map(|name| format!("{name}.v1.json")).collect();
    assert_eq!(files, expected);

    let tested: BTreeSet<String> =
        expected_events().iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(tested, event_names());
}

#[test]
fn every_golden_file_is_read_as_the_event_it_was() {
    for event in expected_events() {
        assert_eq!(serde_json::from_str::<MovieEvent>(&text(&event)).unwrap(), event);
    }
}

#[test]
fn every_event_is_written_as_in_its_golden_file() {
    for event in expected_events() {
        let golden: Value = serde_json::from_str(&text(&event)).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), golden, "{}", event.name());
    }
}

#[test]
fn a_golden_file_says_nothing_that_is_not_read() {
    // Were a field renamed with a default, the file would still decode, without what it said. So each
    // field that is taken away must be missed, or make another event.
    for event in expected_events() {
        let golden: Value = serde_json::from_str(&text(&event)).unwrap();
        for field in golden.as_object().unwrap().keys() {
            let mut without = golden.clone();
            without.as_object_mut().unwrap().remove(field);
            let read = serde_json::from_value::<MovieEvent>(without);
            assert!(read.ok().is_none_or(|read| read != event), "{}: {field}", event.name());
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
        measured_duration_seconds: 12_719.167,
        shortest_variant_seconds: Some(12_718.999),
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
