//! The movies topic, for a data team that knows nothing of our code.

use std::{collections::BTreeMap, process::Command};

use chrono::DateTime;
use marquee_tests::{
    Marquee, Setup,
    edge::run,
    evidence::topic_until,
    servers::{servers, tool},
    topic,
};
use serde_json::{Value, json};

/// Several movies, changed in turns. Positions are of a whole log, so that it must be a log of its own.
async fn marquee_with_events() -> Marquee {
    let marquee = Marquee::prepare(Setup::default()).await;
    marquee.command_api.start_ready().await;
    let admin = marquee.admin();
    let mut movies = Vec::new();
    for number in 0..10 {
        movies.push(admin.create_hidden(&format!("Event {number}")).await);
    }
    for duration in [2, 3] {
        for movie in &movies {
            let path = format!("/v1/movies/{}", movie.id);
            let revision = json!({ "duration_minutes": duration });
            let _ = admin.api.patch(&path).json(&revision).send().await.expect(200);
        }
    }
    topic_until(&marquee.topics.movies, 30).await;
    marquee
}

#[tokio::test]
async fn a_plain_consumer_sees_cloud_events_positions_without_a_gap_and_each_movie_in_order() {
    let marquee = marquee_with_events().await;
    let records = topic::records(&marquee.topics.movies).await;

    let mut positions: Vec<u64> = Vec::new();
    let mut sequences: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in &records {
        assert_eq!(record.header("ce_specversion"), "1.0");
        assert_eq!(record.header("content-type"), "application/json");
        assert_eq!(record.header("ce_source"), "/marquee/command-api");
        assert_eq!(record.header("ce_subject"), record.key);
        let kind = record.header("ce_type").strip_prefix("marquee.movie.");
        let (_, version) = kind.and_then(|kind| kind.split_once('.')).expect("type and version");
        assert_eq!(version, "v1");
        DateTime::parse_from_rfc3339(record.header("ce_time")).expect("a time");
        let value: Value = serde_json::from_str(&record.value).expect("the value is JSON");
        assert!(value.is_object(), "{value}");
        positions.push(record.header("ce_position").parse().expect("a number"));
        let sequence = record.header("ce_sequence").parse().expect("a number");
        sequences.entry(record.key.clone()).or_default().push(sequence);
    }
    let ids: std::collections::BTreeSet<&str> =
        records.iter().map(|record| record.header("ce_id")).collect();
    assert_eq!(ids.len(), records.len(), "ids are unique");
    positions.sort_unstable();
    assert_eq!(positions, (1..=30).collect::<Vec<u64>>());
    assert_eq!(sequences.len(), 10);
    for (movie_id, sequences) in sequences {
        assert_eq!(sequences, [1, 2, 3], "{movie_id}");
    }
}

#[tokio::test]
async fn kcat_prints_every_position_once_and_each_movie_in_order() {
    let marquee = marquee_with_events().await;
    let printed = run(Command::new(tool("kcat")).args([
        "-b",
        &servers().kafka_brokers,
        "-C",
        "-q",
        "-e",
        "-X",
        "isolation.level=read_committed",
        "-t",
        &marquee.topics.movies,
        "-f",
        "%k %h\n",
    ]));

    let mut positions: Vec<u64> = Vec::new();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for line in printed.lines() {
        let (key, headers) = line.split_once(' ').expect("key and headers");
        let header = |name: &str| {
            let mut headers = headers.split(',').filter_map(|header| header.split_once('='));
            let (_, value) = headers.find(|(key, _)| *key == name)?;
            value.parse::<u64>().ok()
        };
        positions.push(header("ce_position").unwrap_or_else(|| panic!("no position: {line}")));
        let sequence = header("ce_sequence").unwrap_or_else(|| panic!("no sequence: {line}"));
        assert_eq!(last.insert(key, sequence).unwrap_or(0) + 1, sequence, "{line}");
    }
    positions.sort_unstable();
    assert_eq!(positions, (1..=30).collect::<Vec<u64>>(), "{printed}");
}
