//! The JSON Schemas of these events: the committed ones are what was released. Compiled for tests only.

use serde_json::json;

use super::{DecodeError, StreamTokenEvent, Unplayable, decode};
use crate::contract::facts::Facts;

const FACTS: Facts =
    Facts { kind: "stream-token", names: &StreamTokenEvent::NAMES, golden: "golden-stream-tokens" };

#[test]
fn the_schemas_are_the_committed_ones_and_break_no_promise() {
    FACTS.assert_committed::<StreamTokenEvent>();
}

#[test]
fn every_golden_file_is_what_its_schema_says_and_without_what_is_required_it_is_not() {
    FACTS.assert_golden_by_schema();
}

#[test]
fn every_golden_file_is_read_and_written_as_it_is() {
    FACTS.assert_golden_round_trip(|_, payload| decode(payload).ok().flatten());
    for name in FACTS.names {
        let golden = FACTS.golden(name);
        let event = decode(golden.to_string().as_bytes()).unwrap().unwrap();
        assert_eq!((event.name(), event.event_type()), (*name, FACTS.event_type(name)));
        assert_eq!(json!(event.movie_id()), golden["movie_id"], "{name}");
        assert_eq!(event.viewer_context(), golden["viewer_context"], "{name}");
    }
}

#[test]
fn a_token_and_its_revocation_are_two_events_and_either_is_the_same_however_often_it_is_sent() {
    let id =
        |name: &str| decode(FACTS.golden(name).to_string().as_bytes()).unwrap().unwrap().event_id();
    let token_id = id("StreamTokenIssued");
    assert_eq!(id("StreamTokenRevoked"), format!("{token_id}/revoked"));
    assert_eq!(FACTS.golden("StreamTokenRenewed")["renews"], token_id);
}

#[test]
fn a_reason_has_one_name() {
    for reason in Unplayable::ALL {
        assert_eq!(json!(reason), reason.as_str());
    }
}

#[test]
fn an_unknown_type_is_none_of_ours_and_what_is_broken_is_refused_with_the_reason() {
    assert!(decode(br#"{"type":"StreamTokenFramed"}"#).unwrap().is_none());
    for payload in ["{", r#"{"type":7}"#, r#"{"type":"StreamTokenIssued"}"#, "[]", "{}"] {
        let error = decode(payload.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Payload(_)), "{payload}: {error}");
    }
    for name in FACTS.names {
        for digest in ["viewer_context", "token_sha256"] {
            let mut payload = FACTS.golden(name);
            if payload.get(digest).is_none() {
                continue;
            }
            for wrong in ["ab", &"g".repeat(64), &"AB".repeat(32)] {
                payload[digest] = json!(wrong);
                let error = decode(payload.to_string().as_bytes()).unwrap_err();
                let told = format!("{digest} is not 64 lower-case hexadecimal digits");
                assert_eq!(error.to_string(), told, "{name}");
            }
        }
    }
}
