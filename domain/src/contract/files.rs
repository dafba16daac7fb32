//! The committed schemas, and that they are those of the types.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{
    generate,
    release::{Proposed, Released, violations},
};
use crate::movie::{EventName, EventType, upcast};

pub fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "schemas"].iter().collect()
}

pub fn file_name(event: &str, version: u32) -> String {
    format!("{event}.v{version}.json")
}

/// The movie events' schemas, as committed.
pub fn committed() -> Released {
    committed_of("movie")
}

/// Those of events of this kind. Others are there, also of facts that are not the domain's.
pub fn committed_of(kind: &str) -> Released {
    let mut released = Released::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let schema: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if !schema["title"].as_str().unwrap().starts_with(&format!("marquee.{kind}.")) {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let (event, version) = stem.split_once(".v").expect("Name.vN.json");
        let key = (event.to_owned(), version.parse().expect("Name.vN.json"));
        assert_eq!(schema["title"], format!("marquee.{kind}.{stem}"), "{}", path.display());
        released.insert(key, schema);
    }
    released
}

fn proposed() -> Vec<Proposed> {
    EventName::ALL
        .into_iter()
        .map(|name| Proposed {
            event: name.to_string(),
            version: EventType::current(name).version(),
            schema: generate::current(name),
        })
        .collect()
}

/// The contract, for reviewers: a change of an event is a change of these files. To write them anew,
/// run the tests with `UPDATE_SCHEMAS=1`; what may not be released is not written.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever changes an event")]
fn the_schemas_are_the_committed_ones_and_break_no_promise() {
    let proposed = proposed();
    let found = violations(&committed(), &proposed, |event, from| {
        EventName::parse(event).is_some_and(|name| upcast::step(name, from).is_some())
    });
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));

    if std::env::var("UPDATE_SCHEMAS").is_ok() {
        for Proposed { event, version, schema } in &proposed {
            let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
            fs::write(folder().join(file_name(event, *version)), text).unwrap();
        }
    }
    let committed = committed();
    for Proposed { event, version, schema } in proposed {
        assert!(
            committed.get(&(event.clone(), version)) == Some(&schema),
            "{event}.v{version}: run the tests with UPDATE_SCHEMAS=1 and look at the change"
        );
    }
}
