//! The documents about the domain promise nothing that is not there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use marquee_domain::{stream_token::StreamTokenEvent, viewing_session::ViewingSessionEvent};

use crate::golden::{event_types, text};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// What stands between backticks and has the form `crate::module::name` of a test's reference.
fn references(text: &str) -> Vec<Vec<&str>> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(|code| code.split("::").collect::<Vec<_>>())
        .filter(|path| path.len() == 3 && path[2].contains('_'))
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn exists(reference: &[&str]) -> bool {
    let [crate_name, module, name] = reference else { return false };
    let folder = root().join(crate_name);
    let mut files = Vec::new();
    sources(&folder.join("src"), &mut files);
    sources(&folder.join("tests"), &mut files);
    files
        .iter()
        // The module may have become a folder of files.
        .filter(|path| path.with_extension("").components().any(|part| part.as_os_str() == *module))
        .any(|path| fs::read_to_string(path).unwrap().contains(&format!("fn {name}(")))
}

#[test]
fn every_test_that_a_document_names_exists() {
    for name in ["data-model.md", "events.md"] {
        let text = document(name);
        let references = references(&text);
        assert!(!references.is_empty(), "{name} names no test");
        let missing: Vec<_> = references.iter().filter(|reference| !exists(reference)).collect();
        assert!(missing.is_empty(), "{name} names tests that do not exist: {missing:?}");
    }
    assert!(!exists(&["domain", "docs", "no_such_test"]));
}

#[test]
fn no_cell_of_the_data_model_is_empty() {
    for line in document("data-model.md").lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
    }
}

#[test]
fn the_catalogue_shows_every_golden_file() {
    let catalogue = document("events.md");
    for event_type in event_types() {
        let example = format!("```json\n{}```", text(event_type));
        let name = event_type.name();
        let (_, section) = catalogue.split_once(&format!("\n### {name}\n")).expect("a section");
        let section = section.split("\n### ").next().unwrap();
        assert!(section.contains(&example), "{event_type}: not the golden file's example");
        assert!(section.contains(&format!("`{event_type}`")), "{event_type}: not its type");
    }
}

/// What the catalogue has of facts: each with its golden file, in a section of its own.
fn assert_shown(kind: &str, golden: &str, names: &[&str]) {
    let catalogue = document("events.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(golden);
    for name in names {
        let golden = fs::read_to_string(folder.join(format!("{name}.v1.json"))).unwrap();
        let (_, section) = catalogue.split_once(&format!("\n### {name}\n")).expect("a section");
        let section = section.split("\n### ").next().unwrap();
        assert!(section.contains(&format!("```json\n{golden}```")), "{name}: not the example");
        assert!(section.contains(&format!("`marquee.{kind}.{name}.v1`")), "{name}");
    }
}

#[test]
fn the_catalogue_shows_every_event_of_a_viewing_session() {
    assert_shown("viewing-session", "golden-viewing-sessions", &ViewingSessionEvent::NAMES);
}

#[test]
fn the_catalogue_shows_every_event_of_a_stream_token() {
    assert_shown("stream-token", "golden-stream-tokens", &StreamTokenEvent::NAMES);
}
