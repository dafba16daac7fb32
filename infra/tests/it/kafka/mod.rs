//! Publishing facts to a real Kafka.

use std::time::Duration;

use marquee_infra::{
    clock,
    kafka::{
        ClientSettings, CloudEvent, FactProducer, PublishError, QuietContext, TopicSettings,
        Topics, ensure_topics,
    },
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use tokio::task::spawn_blocking;

const DEADLINE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "tests are told by it where the servers are")]
fn settings() -> ClientSettings {
    ClientSettings::new(std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS is set"), "test")
}

fn fact(nth: u32) -> CloudEvent {
    let kind = "marquee.stream-token.StreamTokenIssued.v1";
    CloudEvent::viewer_fact(clock::new_uuid(), kind, format!("viewer-{nth}"), clock::now())
}

#[tokio::test]
async fn an_acknowledged_fact_is_where_a_java_client_would_look_for_it() {
    let topics = Topics::with_prefix(&format!("t-{}-", clock::new_uuid().simple()));
    ensure_topics(&settings(), &topics, &TopicSettings::default()).await.unwrap();
    let producer = FactProducer::new(&settings()).unwrap();

    // Keys, and the partitions of six that Kafka's own murmur2 gives them (its published vectors).
    let expected = [
        ("foobar", 0),
        ("a-little-bit-long-string", 2),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 5),
    ];
    let mut sent = Vec::new();
    for (nth, (key, partition)) in (0..).zip(expected) {
        let event = fact(nth);
        producer.publish(&topics.stream_tokens, key, &event, b"{}").await.unwrap();
        sent.push((partition, key.as_bytes().to_vec(), event, b"{}".to_vec()));
    }
    let topic = topics.stream_tokens.clone();
    let mut seen = spawn_blocking(move || read_all(&topic)).await.unwrap();
    seen.sort_by_key(|(partition, ..)| *partition);
    assert_eq!(seen, sent);

    let config = settings().client_config();
    let admin: AdminClient<QuietContext> =
        AdminClient::from_config_and_context(&config, QuietContext).unwrap();
    admin.delete_topics(&topics.names(), &AdminOptions::new()).await.unwrap();
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_an_answer_and_not_a_hang() {
    let producer = FactProducer::new(&settings()).unwrap();
    let topic = format!("t-{}-missing", clock::new_uuid().simple());
    let refused = producer.publish(&topic, "key", &fact(1), b"{}").await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn while_kafka_is_away_callers_are_refused_at_once_but_for_one() {
    let producer = FactProducer::new(&ClientSettings::new("127.0.0.1:1", "test")).unwrap();
    let topic = "marquee.stream-tokens.v1";
    let first = producer.publish(topic, "key", &fact(1), b"{}").await.unwrap_err();
    assert!(first.retryable(), "{first:?}");
    // Whichever of these is the trial, it fails too; the others do not wait for it.
    let mut away = 0;
    for nth in 0..100 {
        let refused = producer.publish(topic, "key", &fact(nth), b"{}").await.unwrap_err();
        assert!(refused.retryable(), "{refused:?}");
        away += u32::from(matches!(refused, PublishError::Away));
    }
    assert!(away > 90, "{away} of 100 were refused at once");
}

type Record = (i32, Vec<u8>, CloudEvent, Vec<u8>);

fn read_all(topic: &str) -> Vec<Record> {
    let mut config: ClientConfig = settings().client_config();
    config.set("group.id", "nobody").set("enable.partition.eof", "true");
    let consumer: BaseConsumer<QuietContext> =
        BaseConsumer::from_config_and_context(&config, QuietContext).unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..6 {
        partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let mut ended = 0;
    let mut seen = Vec::new();
    while ended < 6 {
        match consumer.poll(DEADLINE).expect("Kafka answers") {
            Ok(record) => seen.push((
                record.partition(),
                record.key().unwrap().to_vec(),
                CloudEvent::from_headers(record.headers().unwrap()).unwrap(),
                record.payload().unwrap().to_vec(),
            )),
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}
