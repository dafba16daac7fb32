//! The schema of the catalog topic's documents, `domain/schemas/MovieDocument.v1.json`, says what is
//! published: no less and no more.

use std::{collections::BTreeSet, fs, path::Path};

use marquee_domain::{Movie, evolve, movie::decode};
use projector::catalog_topic::{DOCUMENT_TYPE, MovieDocument};
use serde_json::{Value, json};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema() -> Value {
    serde_json::from_str(&read("schemas/MovieDocument.v1.json")).unwrap()
}

/// With every field that a document can have.
fn document() -> Value {
    let mut movie = Movie::default();
    for name in ["MovieCreated.v1", "StreamSourceAttached.v2", "CaptionTrackAdded.v1"] {
        let golden = read(&format!("tests/golden/{name}.json"));
        evolve(&mut movie, &decode(&format!("marquee.movie.{name}"), &golden).unwrap());
    }
    let listed = movie.listed().cloned().expect("it was created");
    serde_json::to_value(MovieDocument::of(listed, 3, 42)).unwrap()
}

fn is_valid(document: &Value) -> bool {
    let schema = schema();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(&schema).unwrap().is_valid(document)
}

/// The paths of all that has a name.
fn names_in_document(at: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{at}/{name}");
                names_in_document(&path, value, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names_in_document(at, item, found)),
        _ => {}
    }
}

fn names_in_schema(at: &str, schema: &Value, found: &mut BTreeSet<String>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{at}/{name}");
        names_in_schema(&path, schema, found);
        found.insert(path);
    }
    if let Some(items) = schema.get("items") {
        names_in_schema(at, items, found);
    }
}

#[test]
fn it_names_what_a_document_has() {
    let (mut written, mut described) = (BTreeSet::new(), BTreeSet::new());
    names_in_document("", &document(), &mut written);
    names_in_schema("", &schema(), &mut described);
    assert_eq!(written, described);
    assert_eq!(schema()["title"], json!(DOCUMENT_TYPE));
}

#[test]
fn a_document_is_what_it_says_and_less_or_other_is_not() {
    let whole = document();
    assert!(is_valid(&whole), "{whole}");
    for field in whole.as_object().unwrap().keys() {
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(field);
        assert!(!is_valid(&without), "{field}");
        let mut other = whole.clone();
        other[field] = json!(-1);
        assert!(!is_valid(&other), "{field}");
    }
    for (list, optional) in [
        ("stream_sources", &["shortest_variant_seconds", "drm_systems"][..]),
        ("caption_tracks", &[]),
    ] {
        for field in whole[list][0].as_object().unwrap().keys() {
            let mut without = whole.clone();
            without[list][0].as_object_mut().unwrap().remove(field);
            let required = !optional.contains(&field.as_str());
            assert_eq!(is_valid(&without), !required, "{list} without {field}");
        }
    }
}
