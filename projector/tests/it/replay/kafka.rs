//! Into a topic: what it has is what the log has, whatever was killed, and nothing live is touched.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use marquee_infra::clock;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::Headers,
};
use serde_json::{Value, json};
use tokio::process::Child;

use super::stand::{PAGE, Stand, lines, text};

const TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const PARTITIONS: i32 = 3;
const FOREVER: [(&str, &str); 2] = [("retention.ms", "-1"), ("retention.bytes", "-1")];

/// A record as a consumer sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    key: String,
    partition: i32,
    timestamp: i64,
    headers: BTreeMap<String, String>,
    data: Value,
}

impl Seen {
    fn position(&self) -> u64 {
        self.headers["ce_position"].parse().expect("a position")
    }
}

fn consumer(stand: &Stand) -> BaseConsumer {
    let mut config = stand.bed.settings.kafka.client_config();
    config
        .set("group.id", "nobody")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    config.create().expect("a consumer")
}

/// Everything that is committed, partition by partition.
fn read_topic(stand: &Stand, topic: &str, partitions: i32) -> Vec<Seen> {
    let consumer = consumer(stand);
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).expect("assigned");
    let (mut seen, mut ended) = (Vec::new(), 0);
    while ended < partitions {
        match consumer.poll(TIMEOUT).expect("Kafka answers") {
            Ok(record) => {
                let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
                seen.push(Seen {
                    key: utf8(record.key().expect("a key")),
                    partition: record.partition(),
                    timestamp: record.timestamp().to_millis().expect("a time"),
                    headers: record
                        .headers()
                        .iter()
                        .flat_map(|headers| headers.iter())
                        .map(|one| (one.key.to_owned(), utf8(one.value.expect("a value"))))
                        .collect(),
                    data: serde_json::from_slice(record.payload().expect("a value")).unwrap(),
                });
            }
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

/// A line of NDJSON as the record that it has to be.
fn expected(line: &Value, partition: i32) -> Seen {
    let mut headers = BTreeMap::new();
    for (name, value) in line.as_object().expect("an object") {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match name.as_str() {
            "data" => None,
            "datacontenttype" => headers.insert("content-type".to_owned(), text),
            "traceparent" => headers.insert(name.clone(), text),
            _ => headers.insert(format!("ce_{name}"), text),
        };
    }
    let time = chrono::DateTime::parse_from_rfc3339(line["time"].as_str().unwrap()).unwrap();
    Seen {
        key: line["subject"].as_str().unwrap().to_owned(),
        partition,
        timestamp: time.timestamp_millis(),
        headers,
        data: line["data"].clone(),
    }
}

/// Every position from 1 to the last, once, and each partition in order.
fn assert_exactly_once(seen: &[Seen], last: u64) {
    let mut positions: Vec<u64> = seen.iter().map(Seen::position).collect();
    for pair in seen.windows(2) {
        let in_order = pair[0].position() < pair[1].position();
        assert!(pair[0].partition != pair[1].partition || in_order, "{pair:?}");
    }
    positions.sort_unstable();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>());
}

/// `projector replay` that knows Kafka too.
async fn run(stand: &Stand, line: &str) -> (Option<i32>, String) {
    let output = spawn(stand, line).wait_with_output().await.expect("it ends");
    (output.status.code(), text(&output.stderr))
}

fn spawn(stand: &Stand, line: &str) -> Child {
    stand
        .command(line.split_whitespace())
        .env("KAFKA_BROKERS", &stand.bed.settings.kafka.brokers)
        .env("MARQUEE_TOPICS_PREFIX", &stand.bed.settings.topics.prefix)
        .spawn()
        .expect("it starts")
}

fn topic(stand: &Stand) -> String {
    format!("{}copy", stand.bed.settings.topics.prefix)
}

#[tokio::test]
async fn a_topic_has_what_the_live_topic_would_have() {
    let stand = Stand::with_lives(3).await;
    let topic = topic(&stand);
    let (code, said) =
        run(&stand, &format!("--sink kafka:{topic} --partitions {PARTITIONS}")).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("27 events at positions 1 to 27"), "{said}");

    let mut seen = read_topic(&stand, &topic, PARTITIONS);
    assert_exactly_once(&seen, 27);
    seen.sort_by_key(Seen::position);
    let found = lines(&stand.replay("").await.stdout);
    for (seen, line) in seen.iter().zip(&found) {
        assert_eq!(*seen, expected(line, seen.partition));
    }
    // The same key is in the partition that the relay would have chosen.
    let mut partitions = BTreeMap::new();
    let movies = &stand.bed.topics.movies;
    stand.bed.publish(movies, records(&seen)).await;
    for live in read_topic(&stand, movies, PARTITIONS) {
        partitions.insert(live.key, live.partition);
    }
    for seen in &seen {
        assert_eq!(partitions[&seen.key], seen.partition);
    }
}

fn records(seen: &[Seen]) -> Vec<crate::bed::Record> {
    seen.iter()
        .map(|seen| crate::bed::Record {
            key: Some(seen.key.clone().into_bytes()),
            payload: Some(seen.data.to_string().into_bytes()),
            headers: rdkafka::message::OwnedHeaders::new(),
        })
        .collect()
}

/// Waits until so many records, committed or not, are in the topic, or the replay has ended.
async fn wait_for_records(stand: &Stand, topic: &str, child: &mut Child, records: i64) {
    let consumer = consumer(stand);
    let deadline = Instant::now() + TIMEOUT;
    let count = || -> i64 {
        (0..PARTITIONS)
            .filter_map(|partition| consumer.fetch_watermarks(topic, partition, TIMEOUT).ok())
            .map(|(_, high)| high)
            .sum()
    };
    while child.try_wait().expect("it can be asked").is_none() && count() < records {
        assert!(Instant::now() < deadline, "there are never {records} records");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

#[tokio::test]
async fn killed_at_any_moment_every_event_is_there_once() {
    let stand = Stand::with_events(9 * PAGE).await;
    let topic = topic(&stand);
    // Asking for a topic that is not there may make it, with settings that nobody chose.
    make_topic(&stand, &topic, PARTITIONS, &FOREVER).await;
    let line = format!("--sink kafka:{topic} --throttle 3000 --resume");
    let (mut kills, mut wanted) = (0, 1);
    loop {
        let mut child = spawn(&stand, &line);
        wait_for_records(&stand, &topic, &mut child, wanted).await;
        wanted += 1 + i64::from(u16::from_le_bytes(clock::random_bytes()) % 5_000);
        child.start_kill().expect("it can be killed");
        let output = child.wait_with_output().await.expect("it ends");
        match output.status.code() {
            None => kills += 1,
            Some(0) => break,
            Some(code) => panic!("{code}: {}", text(&output.stderr)),
        }
    }
    assert!(kills > 0, "it was never killed");
    assert_exactly_once(&read_topic(&stand, &topic, PARTITIONS), 9 * PAGE);

    let (code, said) = run(&stand, &line).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing to do: 9000 events at positions 1 to 9000"), "{said}");
    let (code, said) = run(&stand, &format!("{line} --schema latest")).await;
    assert_eq!((code, said.contains("has another replay")), (Some(2), true), "{said}");
}

#[tokio::test]
async fn filters_and_versions_hold_for_a_topic_too() {
    let stand = Stand::with_lives(2).await;
    let topic = topic(&stand);
    let line =
        format!("--sink kafka:{topic} --partitions 1 --types MovieShown,MovieCreated --to 10");
    let (code, said) = run(&stand, &line).await;
    assert_eq!(code, Some(0), "{said}");
    let types: Vec<String> = read_topic(&stand, &topic, 1)
        .into_iter()
        .map(|mut s| s.headers.remove("ce_type").unwrap())
        .collect();
    let name = |name: &str| format!("marquee.movie.{name}.v1");
    assert_eq!(types, [name("MovieCreated"), name("MovieShown"), name("MovieCreated")]);
}

async fn make_topic(stand: &Stand, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        stand.bed.settings.kafka.client_config().create().expect("an admin");
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.expect("Kafka answers");
    assert!(made[0].is_ok(), "{made:?}");
}

#[tokio::test]
async fn nothing_live_is_written_to_and_nothing_that_would_lose_events() {
    let stand = Stand::with_lives(1).await;
    let refused = async |topic: &str, says: &str| {
        let (code, said) = run(&stand, &format!("--sink kafka:{topic}")).await;
        assert_eq!((code, said.contains(says)), (Some(2), true), "{topic}: {said}");
    };
    let live = &stand.bed.topics;
    for own in [&live.movies, &live.catalog, &live.stream_tokens, &live.dead_letters] {
        refused(own, "is the services' own").await;
    }
    refused("marquee.movies.v1", "is the services' own").await;
    refused("marquee.movies.v2", "is the services' own").await;
    refused("__consumer_offsets", "is Kafka's own").await;
    refused("a/b", "is no name for a topic").await;
    assert!(read_topic(&stand, &live.movies, PARTITIONS).is_empty());

    let prefix = &stand.bed.settings.topics.prefix;
    let (short, foreign) = (format!("{prefix}short"), format!("{prefix}foreign"));
    make_topic(&stand, &short, 1, &[("retention.ms", "3600000")]).await;
    refused(&short, "retention.ms=3600000").await;
    make_topic(&stand, &foreign, 1, &FOREVER).await;
    let record = crate::bed::Record {
        key: None,
        payload: Some(json!({}).to_string().into_bytes()),
        headers: rdkafka::message::OwnedHeaders::new(),
    };
    stand.bed.publish(&foreign, vec![record]).await;
    refused(&foreign, "has records, and no cursor of a replay").await;

    let topic = topic(&stand);
    assert_eq!(run(&stand, &format!("--sink kafka:{topic}")).await.0, Some(0));
    refused(&topic, "has a replay already; --resume").await;
}

#[tokio::test]
async fn a_kafka_that_is_away_is_told_of() {
    let stand = Stand::with_lives(1).await;
    let line = format!("--sink kafka:{}", topic(&stand));
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = stand
        .command(line.split_whitespace())
        .env("KAFKA_BROKERS", unused.to_string())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("Kafka"), "{}", text(&output.stderr));
    stand.fails(&line, 2, "set KAFKA_BROKERS").await;
}
