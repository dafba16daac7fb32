//! What can be wrong with the topic of movie events.

use marquee_infra::kafka::CloudEvent;
use rdkafka::message::OwnedHeaders;
use serde_json::Value;

use super::world::{Outgoing, World};

/// Four movies, one after the other: nine events each.
async fn logged() -> World {
    let mut world = World::new().await;
    for n in 0..4 {
        world.log.live_a_life(&format!("Film {n}"));
    }
    world.append().await;
    world
}

async fn outgoing(world: &World) -> Vec<Outgoing> {
    world.recorded(1..=36).await.iter().map(Outgoing::of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_double_or_out_of_order_in_kafka_is_found_by_its_position() {
    let world = logged().await;
    let mut records = outgoing(&world).await;
    // By index, so that a position is one more.
    records[32] = records[4].clone();
    records.swap(12, 13);
    records.remove(22);
    records.remove(21);
    world.relay(records, 35).await;
    let audit = world.audit(&[]).await;
    assert_eq!(
        audit.found(),
        [
            // 36 is there, though the cursor does not promise it.
            ("kafka_missing", vec![(22, 23), (33, 33)]),
            ("kafka_double", vec![(5, 5)]),
            ("kafka_out_of_order", vec![(13, 13)]),
        ],
        "{}",
        audit.report
    );
    let audit = world.audit(&["--from", "14", "--to", "22"]).await;
    assert_eq!(audit.found(), [("kafka_missing", vec![(22, 22)])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_yet_published_is_not_missing() {
    let world = logged().await;
    world.relay_all(1..=30).await;
    let audit = world.audit(&[]).await;
    audit.assert_clean();
    assert_eq!(audit.report["published_up_to"], 30);
    assert_eq!(audit.report["looked_at"]["records"], 30);
    assert_eq!(audit.report["looked_at"]["events"], 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_differ_from_the_log_are_found_with_what_differs() {
    let world = logged().await;
    let mut records = outgoing(&world).await;
    let events = world.recorded(1..=36).await;

    // Another order of members and another notation of a number are the same payload.
    let payload: Value = serde_json::from_slice(&records[0].value).unwrap();
    assert_eq!(payload["duration_minutes"], 100);
    let same = String::from_utf8(records[0].value.clone()).unwrap();
    records[0].value = same.replace(": 100,", ":   1e2 ,").into_bytes();
    assert_ne!(records[0].value, same.as_bytes());

    let text = String::from_utf8(records[9].value.clone()).unwrap();
    records[9].value = text.replace("\"Film 1\"", "\"Film I\"").into_bytes();
    let changed = |index: usize, change: fn(&mut CloudEvent)| {
        let mut about = CloudEvent::from(&events[index]);
        change(&mut about);
        about.to_headers()
    };
    records[10].headers = changed(10, |about| about.sequence = Some(7));
    records[11].headers =
        changed(11, |about| about.event_type = "marquee.movie.MovieHidden.v1".to_owned());
    // Another movie's key leads to another partition, or to the same one.
    records[12].key = records[0].key.clone();
    records[12].partition = Some(1);
    records[13].headers = changed(13, |about| about.position = Some(9_999));
    records.push(Outgoing {
        key: None,
        headers: OwnedHeaders::new(),
        value: b"no event at all".to_vec(),
        partition: Some(2),
    });
    world.relay(records, 36).await;
    let audit = world.audit(&[]).await;
    let found = audit.found();
    let positions = |kind: &str| {
        let found = found.iter().find(|(found, _)| *found == kind);
        found.map(|(_, positions)| positions.clone())
    };
    assert_eq!(positions("kafka_missing"), Some(vec![(14, 14)]), "{}", audit.report);
    assert_eq!(positions("kafka_not_in_log"), Some(vec![(9_999, 9_999)]));
    assert_eq!(positions("kafka_unreadable"), Some(vec![]));
    let details = audit.details("kafka_differs");
    for (position, fields) in [(10, "value"), (11, "ce_sequence"), (12, "ce_type"), (13, "key")] {
        let line = details.split("\",\"").find(|line| line.contains(&format!("{position}: part")));
        let line = line.unwrap_or_else(|| panic!("{position} in {details}"));
        assert!(line.trim_end_matches("\"]").ends_with(&format!(": {fields}")), "{line}");
    }
    let total = audit.report["findings"].as_array().unwrap().iter();
    let differing = total.filter(|one| one["kind"] == "kafka_differs").map(|one| &one["total"]);
    assert_eq!(differing.collect::<Vec<_>>(), [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_in_a_partition_that_is_not_its_keys_is_found() {
    let world = logged().await;
    let mut records = outgoing(&world).await;
    for record in &mut records[18..20] {
        record.partition = Some(0);
    }
    for record in &mut records[20..22] {
        record.partition = Some(1);
    }
    world.relay(records, 36).await;
    let audit = world.audit(&[]).await;
    let found = audit.found();
    // A movie has one partition; two of its events at least are elsewhere.
    let (kind, positions) = &found[found.len() - 1];
    assert_eq!(*kind, "kafka_partition", "{}", audit.report);
    let misplaced: Vec<u64> = positions.iter().flat_map(|(from, to)| *from..=*to).collect();
    assert!(
        [vec![19, 20], vec![21, 22], vec![19, 20, 21, 22]].contains(&misplaced),
        "{misplaced:?}"
    );
}
