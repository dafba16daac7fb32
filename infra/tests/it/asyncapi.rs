//! docs/asyncapi.yaml describes the topics and the events that there are: no fewer and no more.
//! Whether it is good AsyncAPI is for AsyncAPI's own tool to say (`infra/local/asyncapi`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use marquee_infra::kafka::Topics;
use serde_json::Value;

/// A removed movie's record in the catalog topic has no value, and so no schema.
const WITHOUT_VALUE: &str = "MovieTombstone";
/// A dead letter's value is whatever it was.
const ANY_VALUE: &str = "DeadLetter";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a workspace")
}

fn document() -> Value {
    let text = fs::read_to_string(root().join("docs/asyncapi.yaml")).unwrap();
    yaml_serde::from_str(&text).unwrap()
}

fn members(value: &Value) -> BTreeMap<String, Value> {
    value.as_object().expect("an object").clone().into_iter().collect()
}

/// By the file's name, without `.json`.
fn schemas() -> BTreeMap<String, Value> {
    let path = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path();
    let files = fs::read_dir(root().join("domain/schemas")).unwrap().map(path);
    files
        .map(|file: PathBuf| {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, serde_json::from_slice(&fs::read(&file).unwrap()).unwrap())
        })
        .collect()
}

#[test]
fn its_channels_are_the_topics() {
    let described: BTreeSet<String> = members(&document()["channels"])
        .values()
        .map(|channel| channel["address"].as_str().expect("an address").to_owned())
        .collect();
    let Topics { movies, stream_tokens, viewing_sessions, catalog, dead_letters } =
        Topics::default();
    let topics = BTreeSet::from([movies, stream_tokens, viewing_sessions, catalog, dead_letters]);
    assert_eq!(described, topics);
}

#[test]
fn its_messages_are_the_schemas() {
    let mut messages = members(&document()["components"]["messages"]);
    let tombstone = messages.remove(WITHOUT_VALUE).expect("it is described");
    assert_eq!(tombstone["payload"]["type"], "null");
    let letter = messages.remove(ANY_VALUE).expect("it is described");
    assert_eq!(letter["payload"]["format"], "binary");
    let schemas = schemas();
    assert!(schemas.contains_key("MovieCreated.v1"));
    assert_eq!(messages.keys().collect::<Vec<_>>(), schemas.keys().collect::<Vec<_>>());
    for (key, message) in messages {
        assert_eq!(message["name"], schemas[&key]["title"], "{key}");
        let payload = &message["payload"]["$ref"];
        assert_eq!(*payload, format!("../domain/schemas/{key}.json"), "{key}");
    }
}

#[test]
fn every_message_is_in_the_channel_of_its_kind() {
    let document = document();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for channel in members(&document["channels"]).values() {
        for (key, message) in members(&channel["messages"]) {
            assert_eq!(message["$ref"], format!("#/components/messages/{key}"));
            places.entry(key).or_default().push(channel["address"].as_str().unwrap().to_owned());
        }
    }
    let topics = Topics::default();
    for (key, message) in members(&document["components"]["messages"]) {
        let kind = message["name"].as_str().unwrap().split('.').nth(1).unwrap();
        let topic = match kind {
            "movie" => &topics.movies,
            "catalog" => &topics.catalog,
            "stream-token" => &topics.stream_tokens,
            "viewing-session" => &topics.viewing_sessions,
            "dead-letter" => &topics.dead_letters,
            other => panic!("{key}: a message of {other} has no topic"),
        };
        assert_eq!(places.remove(&key).as_deref(), Some(&[topic.clone()][..]), "{key}");
    }
    assert_eq!(places, BTreeMap::new());
}
