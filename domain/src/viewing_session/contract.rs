//! The JSON Schemas of these events: the committed ones are what was released. Compiled for tests only.

use std::{collections::BTreeSet, fs, path::PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{ViewingSessionEvent, decode};
use crate::contract::{
    files::{committed_of, file_name, folder},
    release::{Proposed, violations},
};

const KIND: &str = "viewing-session";

fn proposed() -> Vec<Proposed> {
    let root = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<ViewingSessionEvent>();
    let dialect = root.get("$schema").expect("a root schema names its dialect");
    let variants = root.get("oneOf").and_then(Value::as_array).expect("an enum is a oneOf");
    let schema = |variant: &Value| {
        let name = variant.pointer("/properties/type/const").and_then(Value::as_str);
        let event = name.expect("a variant has a name").to_owned();
        let mut schema = variant.clone();
        schema["$schema"] = dialect.clone();
        schema["title"] = json!(format!("marquee.{KIND}.{event}.v1"));
        Proposed { event, version: 1, schema }
    };
    variants.iter().map(schema).collect()
}

/// An example of each event, with all that it can have.
fn golden(event: &str) -> Value {
    let folder: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests", "golden-viewing-sessions"].iter().collect();
    serde_json::from_slice(&fs::read(folder.join(file_name(event, 1))).unwrap()).unwrap()
}

/// To write them anew, run the tests with `UPDATE_SCHEMAS=1`.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever changes an event")]
fn the_schemas_are_the_committed_ones_and_break_no_promise() {
    let proposed = proposed();
    let named: BTreeSet<&str> = proposed.iter().map(|one| one.event.as_str()).collect();
    assert_eq!(named, BTreeSet::from(ViewingSessionEvent::NAMES));
    let found = violations(&committed_of(KIND), &proposed, |_, _| false);
    assert!(found.is_empty(), "{found:?}");

    if std::env::var("UPDATE_SCHEMAS").is_ok() {
        for Proposed { event, version, schema } in &proposed {
            let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
            fs::write(folder().join(file_name(event, *version)), text).unwrap();
        }
    }
    let committed = committed_of(KIND);
    for Proposed { event, version, schema } in proposed {
        assert!(
            committed.get(&(event.clone(), version)) == Some(&schema),
            "{event}.v{version}: run the tests with UPDATE_SCHEMAS=1 and look at the change"
        );
    }
}

#[test]
fn every_golden_file_is_what_its_schema_says_and_without_what_is_required_it_is_not() {
    for ((event, version), schema) in committed_of(KIND) {
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        let whole = golden(&event);
        assert!(validator.is_valid(&whole), "{event}.v{version}");
        for field in schema["required"].as_array().unwrap() {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(field.as_str().unwrap());
            assert!(!validator.is_valid(&without), "{event}.v{version} without {field}");
        }
    }
}

#[test]
fn every_golden_file_is_read_and_written_as_it_is() {
    for name in ViewingSessionEvent::NAMES {
        let golden = golden(name);
        let event_type = format!("marquee.{KIND}.{name}.v1");
        let event = decode(&event_type, golden.to_string().as_bytes()).unwrap();
        assert_eq!((event.name(), event.event_type()), (name, event_type));
        assert_eq!(serde_json::to_value(&event).unwrap(), golden, "{name}");
        // A field that no one reads would be missed by no one.
        for field in golden.as_object().unwrap().keys() {
            let mut without = golden.clone();
            without.as_object_mut().unwrap().remove(field);
            let read = decode(&event.event_type(), without.to_string().as_bytes());
            assert!(read.ok().is_none_or(|read| read != event), "{name}: {field}");
        }
    }
}

#[test]
fn what_is_not_such_an_event_is_refused_with_the_reason() {
    let started = golden("ViewingSessionStarted").to_string();
    let refused = |event_type: &str, payload: &str| {
        decode(event_type, payload.as_bytes()).unwrap_err().to_string()
    };
    let newer = refused("marquee.viewing-session.ViewingSessionStarted.v2", &started);
    assert_eq!(newer, "the payload is that of marquee.viewing-session.ViewingSessionStarted.v1");
    let unknown = refused("marquee.viewing-session.X.v1", r#"{"type":"X"}"#);
    assert!(unknown.starts_with("unknown variant `X`"), "{unknown}");
    let mut error = golden("PlayerErrorReported");
    error["code"] = json!("a code\nwith a line break");
    let error = refused("marquee.viewing-session.PlayerErrorReported.v1", &error.to_string());
    assert!(error.starts_with("must be 1 to 64 of the characters"), "{error}");
}
