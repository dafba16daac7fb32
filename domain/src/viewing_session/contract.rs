//! The JSON Schemas of these events: the committed ones are what was released. Compiled for tests only.

use serde_json::json;

use super::{ViewingSessionEvent, decode};
use crate::contract::facts::Facts;

const FACTS: Facts = Facts {
    kind: "viewing-session",
    names: &ViewingSessionEvent::NAMES,
    golden: "golden-viewing-sessions",
};

#[test]
fn the_schemas_are_the_committed_ones_and_break_no_promise() {
    FACTS.assert_committed::<ViewingSessionEvent>();
}

#[test]
fn every_golden_file_is_what_its_schema_says_and_without_what_is_required_it_is_not() {
    FACTS.assert_golden_by_schema();
}

#[test]
fn every_golden_file_is_read_and_written_as_it_is() {
    FACTS.assert_golden_round_trip(|event_type, payload| decode(event_type, payload).ok());
    for name in FACTS.names {
        let event_type = FACTS.event_type(name);
        let event = decode(&event_type, FACTS.golden(name).to_string().as_bytes()).unwrap();
        assert_eq!((event.name(), event.event_type()), (*name, event_type));
    }
}

#[test]
fn what_is_not_such_an_event_is_refused_with_the_reason() {
    let started = FACTS.golden("ViewingSessionStarted").to_string();
    let refused = |event_type: &str, payload: &str| {
        decode(event_type, payload.as_bytes()).unwrap_err().to_string()
    };
    let newer = refused("marquee.viewing-session.ViewingSessionStarted.v2", &started);
    assert_eq!(newer, "the payload is that of marquee.viewing-session.ViewingSessionStarted.v1");
    let unknown = refused("marquee.viewing-session.X.v1", r#"{"type":"X"}"#);
    assert!(unknown.starts_with("unknown variant `X`"), "{unknown}");
    let mut error = FACTS.golden("PlayerErrorReported");
    error["code"] = json!("a code\nwith a line break");
    let error = refused("marquee.viewing-session.PlayerErrorReported.v1", &error.to_string());
    assert!(error.starts_with("must be 1 to 64 of the characters"), "{error}");
}
