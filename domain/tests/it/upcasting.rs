//! Old versions of events, raised to newer ones.

use marquee_domain::{
    MovieEvent,
    movie::{
        DecodeError, EventName, EventType, EventTypeError, decode,
        upcast::{UpcastError, upcast, upcast_to},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::{event_types, text};

fn golden(event_type: EventType) -> Value {
    serde_json::from_str(&text(event_type)).unwrap()
}

fn attached(version: u32) -> EventType {
    EventType::new(EventName::StreamSourceAttached, version).unwrap()
}

fn validated(version: u32) -> EventType {
    EventType::new(EventName::StreamSourceValidated, version).unwrap()
}

#[test]
fn every_old_version_is_raised_to_what_the_next_one_says() {
    let mut raised = 0;
    for old in event_types().into_iter().filter(|event_type| !event_type.is_current()) {
        let (name, from) = (old.name(), old.version());
        let next = EventType::new(name, from + 1).unwrap();
        assert_eq!(upcast_to(name, from, from + 1, golden(old)).unwrap(), golden(next), "{old}");
        raised += 1;
    }
    assert!(raised > 0);
}

#[test]
fn every_version_is_raised_to_the_current_one_and_to_any_between() {
    for event_type in event_types() {
        let (name, from) = (event_type.name(), event_type.version());
        let upcasted = upcast(event_type, golden(event_type)).unwrap();
        assert_eq!(upcasted.event_type, EventType::current(name));
        assert_eq!(upcasted.payload, golden(EventType::current(name)));
        for to in from..=name.current_version() {
            let payload = upcast_to(name, from, to, golden(event_type)).unwrap();
            assert_eq!(payload, golden(EventType::new(name, to).unwrap()), "{event_type} to {to}");
        }
    }
}

#[test]
fn an_event_is_not_made_older_nor_of_a_version_that_is_not_known() {
    let name = EventName::StreamSourceAttached;
    assert_eq!(
        upcast_to(name, 2, 1, golden(attached(2))),
        Err(UpcastError::Backwards { name, from: 2, to: 1 })
    );
    for (from, to, version) in [(1, 3, 3), (3, 3, 3), (0, 1, 0)] {
        assert_eq!(
            upcast_to(name, from, to, golden(attached(1))),
            Err(EventTypeError::UnknownVersion { name, version, newest: 2 }.into())
        );
    }
}

#[test]
fn a_stream_that_could_not_be_read_stays_without_facts() {
    let mut unread = golden(validated(1));
    unread.as_object_mut().unwrap().remove("facts");
    assert_eq!(upcast(validated(1), unread.clone()).unwrap().payload, unread);
}

#[test]
fn a_shortest_variant_that_was_left_out_stays_so() {
    let mut even = golden(attached(1));
    even.as_object_mut().unwrap().remove("shortest_variant_seconds");
    let facts = &upcast(attached(1), even).unwrap().payload["facts"];
    assert_eq!(facts["measured_duration_ms"], json!(12_719_167));
    assert_eq!(facts.get("shortest_variant_ms"), None);
}

#[test]
fn what_an_old_event_says_besides_is_kept() {
    let mut more = golden(attached(1));
    more["provenance"] = json!("import");
    assert_eq!(upcast(attached(1), more).unwrap().payload["provenance"], json!("import"));
}

#[test]
fn an_old_payload_that_is_not_what_its_version_says_is_refused_with_the_reason() {
    let with = |field: &str, value: Value| {
        let mut payload = golden(attached(1));
        payload[field] = value;
        payload
    };
    let mut missing = golden(attached(1));
    missing.as_object_mut().unwrap().remove("measured_duration_seconds");
    let mut scalar = golden(validated(1));
    scalar["facts"] = json!(7);
    for (event_type, payload, reason) in [
        (attached(1), missing, "measured_duration_seconds is missing"),
        (
            attached(1),
            with("measured_duration_seconds", json!("long")),
            "measured_duration_seconds is no duration",
        ),
        (
            attached(1),
            with("measured_duration_seconds", json!(1e10)),
            "measured_duration_seconds is no duration",
        ),
        (
            attached(1),
            with("shortest_variant_seconds", json!(-1)),
            "shortest_variant_seconds is no duration",
        ),
        (attached(1), json!([]), "it is not an object"),
        (validated(1), scalar, "facts is not an object"),
    ] {
        let refused = upcast(event_type, payload).unwrap_err();
        assert_eq!(refused, UpcastError::Payload { event_type, why: reason.to_owned() });
    }
}

#[test]
fn a_type_has_one_spelling() {
    for event_type in event_types() {
        assert_eq!(event_type.to_string().parse(), Ok(event_type));
    }
    for text in [
        "",
        "MovieShown",
        "marquee.movie.MovieShown",
        "marquee.movie.MovieShown.v",
        "marquee.movie.MovieShown.v01",
        "marquee.movie.MovieShown.v+1",
        "marquee.movie.MovieShown.v1.2",
        "marquee.movie.movieshown.v1",
        "marquee.movie.MovieBurnt.v1",
        "marquee.stream-token.StreamTokenIssued.v1",
    ] {
        assert_eq!(text.parse::<EventType>(), Err(EventTypeError::Unknown(text.to_owned())));
    }
    for version in [0, 2, u32::MAX] {
        assert_eq!(
            format!("marquee.movie.MovieShown.v{version}").parse::<EventType>(),
            Err(EventTypeError::UnknownVersion { name: EventName::MovieShown, version, newest: 1 })
        );
    }
}

#[test]
fn what_cannot_be_decoded_is_refused_with_its_kind() {
    let shown = golden(EventType::current(EventName::MovieShown)).to_string();
    let old = golden(attached(1)).to_string();
    let refused = |event_type: &str, payload: &str| decode(event_type, payload).unwrap_err();
    assert!(matches!(
        refused("marquee.movie.MovieShown.v2", &shown),
        DecodeError::Type(EventTypeError::UnknownVersion { version: 2, newest: 1, .. })
    ));
    assert!(matches!(
        refused("marquee.movie.MovieBurnt.v1", &shown),
        DecodeError::Type(EventTypeError::Unknown(_))
    ));
    assert!(matches!(
        refused("marquee.movie.MovieHidden.v1", &shown),
        DecodeError::OtherEvent { found: EventName::MovieShown, .. }
    ));
    for not_it in ["", "{", "null", "{}", r#"{"type":"MovieShown"}"#] {
        assert!(matches!(
            refused("marquee.movie.MovieShown.v1", not_it),
            DecodeError::Payload { .. }
        ));
    }
    // Written as the old version, it is no event of the new one, nor the other way round.
    assert!(matches!(refused(&attached(2).to_string(), &old), DecodeError::Payload { .. }));
    let new = golden(attached(2)).to_string();
    assert!(matches!(refused(&attached(1).to_string(), &new), DecodeError::Upcast(_)));
}

proptest! {
    /// Version 1 was written to the millisecond, and nothing of that is lost.
    #[test]
    fn seconds_become_the_milliseconds_that_they_were(ms in 0..=1_000_000_000_000_u64) {
        let mut old = golden(attached(1));
        old["measured_duration_seconds"] = format!("{}.{:03}", ms / 1000, ms % 1000).parse().unwrap();
        let event = decode(&attached(1).to_string(), &old.to_string()).unwrap();
        let MovieEvent::StreamSourceAttached { facts, .. } = event else { panic!("{event:?}") };
        prop_assert_eq!(facts.measured_duration_ms, ms);
        // As MySQL would have given it back, had it made a whole number of it.
        if ms % 1000 == 0 {
            old["measured_duration_seconds"] = json!(ms / 1000);
            let facts = upcast(attached(1), old).unwrap().payload["facts"].clone();
            prop_assert_eq!(&facts["measured_duration_ms"], &json!(ms));
        }
    }
}
