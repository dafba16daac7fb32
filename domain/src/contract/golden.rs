//! The schemas say what the golden files show, of every version ever released.

use std::{fs, path::PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::files::{committed, file_name};
use crate::movie::{EventName, upcast::upcast_to};

fn golden(event: &str, version: u32) -> Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &file_name(event, version)]
        .iter()
        .collect();
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
}

#[test]
fn every_schema_is_a_json_schema() {
    for schema in committed().values() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{schema}");
    }
}

#[test]
fn every_golden_file_is_what_its_schema_says() {
    for ((event, version), schema) in committed() {
        let found: Vec<String> = validator(&schema)
            .iter_errors(&golden(&event, version))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{event}.v{version}: {found:?}");
    }
}

#[test]
fn an_upcasted_golden_file_is_what_the_next_schema_says() {
    let released = committed();
    let mut raised = 0;
    for ((event, version), schema) in &released {
        let Some(before) = version.checked_sub(1).filter(|before| *before > 0) else { continue };
        let name = EventName::parse(event).unwrap();
        let payload = upcast_to(name, before, *version, golden(event, before)).unwrap();
        assert!(validator(schema).is_valid(&payload), "{event}.v{version}: {payload}");
        // It was another shape.
        assert!(!validator(schema).is_valid(&golden(event, before)), "{event}.v{version}");
        raised += 1;
    }
    assert!(raised > 0);
}

#[test]
fn a_payload_without_what_is_required_or_of_another_event_is_refused() {
    for ((event, version), schema) in committed() {
        let validator = validator(&schema);
        let whole = golden(&event, version);
        for field in schema["required"].as_array().unwrap() {
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(field.as_str().unwrap());
            assert!(!validator.is_valid(&without), "{event}.v{version} without {field}");
        }
        let mut other = whole;
        other["type"] = json!("MovieBurnt");
        assert!(!validator.is_valid(&other), "{event}.v{version}");
    }
}

#[test]
fn a_wrong_value_is_refused() {
    let released = committed();
    for (event, version, pointer, wrong) in [
        ("MovieCreated", 1, "/duration_minutes", json!("212")),
        ("MovieCreated", 1, "/duration_minutes", json!(-1)),
        ("MovieCreated", 1, "/genres", json!("Drama")),
        ("MovieCreated", 1, "/visibility", json!("hidden")),
        ("MovieCreated", 1, "/movie_id", json!("42")),
        ("MovieCreated", 1, "/created_at", json!("yesterday")),
        ("StreamSourceAttached", 1, "/measured_duration_seconds", json!("long")),
        ("StreamSourceAttached", 2, "/facts/measured_duration_ms", json!(12_719.167)),
        ("StreamSourceAttached", 2, "/facts/encryption", json!("ROT13")),
        ("StreamSourceValidated", 2, "/facts", json!([])),
        ("CaptionTrackAdded", 1, "/is_default", json!(1)),
    ] {
        let mut payload = golden(event, version);
        *payload.pointer_mut(pointer).expect("a field of it") = wrong.clone();
        let schema = &released[&(event.to_owned(), version)];
        assert!(!validator(schema).is_valid(&payload), "{event}.v{version} {pointer}: {wrong}");
    }
}
