//! Reads a topic from its beginning.

use std::time::Duration;

use marquee_infra::kafka::{ClientSettings, CloudEvent};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaResult,
};
use serde_json::Value;

use crate::bed::{Bed, until};

const TIMEOUT: Duration = Duration::from_secs(10);

pub struct Record {
    pub key: String,
    pub event: CloudEvent,
    pub payload: Value,
}

/// All that is in the topic now.
pub async fn read_all(bed: &Bed, topic: &str) -> Vec<Record> {
    let mut records = None;
    // A new topic's partitions change their minds about who leads them.
    until("the topic can be read", async || {
        records = try_read_all(bed, topic).await.ok();
        records.is_some()
    })
    .await;
    records.expect("it was read")
}

pub async fn try_read_all(bed: &Bed, topic: &str) -> KafkaResult<Vec<Record>> {
    let config = ClientSettings::new(&bed.settings.kafka.brokers, "test").client_config();
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || read(config, &topic)).await.expect("no panic")
}

fn read(mut config: rdkafka::ClientConfig, topic: &str) -> KafkaResult<Vec<Record>> {
    config.set("group.id", "unused").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let partitions = metadata.topics()[0].partitions();
    let mut assignment = TopicPartitionList::new();
    let mut expected = 0;
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        expected += usize::try_from(high - low).expect("high is not below low");
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    while records.len() < expected {
        let message = consumer.poll(TIMEOUT).expect("a record in time")?;
        records.push(Record {
            key: String::from_utf8(message.key().expect("a key").to_vec()).expect("text"),
            event: CloudEvent::from_headers(message.headers().expect("headers"))
                .expect("a CloudEvent"),
            payload: serde_json::from_slice(message.payload().expect("a value")).expect("JSON"),
        });
    }
    Ok(records)
}
