//! Kafka as a plain consumer sees it, knowing nothing of our code.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use marquee_infra::kafka::{QuietContext, Topics};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::Headers,
    metadata::MetadataTopic,
};

use crate::{checker::TopicRecord, servers::servers, wait::DEADLINE};

/// A record, with everything as text.
#[derive(Debug, Clone)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub headers: BTreeMap<String, String>,
    pub value: String,
}

impl Record {
    pub(crate) fn read(message: &impl Message) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("records hold text");
        let headers = message.headers().map_or_else(BTreeMap::new, |headers| {
            let entry = |header: rdkafka::message::Header<'_, &[u8]>| {
                (header.key.to_owned(), text(header.value.unwrap_or_default()))
            };
            headers.iter().map(entry).collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: text(message.key().unwrap_or_default()),
            headers,
            value: text(message.payload().unwrap_or_default()),
        }
    }

    /// # Panics
    /// When it lacks the header, with all that it has.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    fn number(&self, name: &str) -> u64 {
        let text = self.header(name);
        text.parse().unwrap_or_else(|error| panic!("{name} {text:?}: {error}"))
    }
}

impl From<&Record> for TopicRecord {
    fn from(record: &Record) -> Self {
        Self {
            partition: record.partition,
            offset: record.offset,
            key: record.key.clone(),
            position: record.number("ce_position"),
            sequence: record.number("ce_sequence"),
            event_type: record.header("ce_type").to_owned(),
        }
    }
}

/// All committed records of a topic, up to where it ends now; partition by partition, in order.
pub async fn records(topic: &str) -> Vec<Record> {
    let topic = topic.to_owned();
    let read = tokio::task::spawn_blocking(move || read_all(&topic)).await;
    read.expect("reading does not panic").unwrap_or_else(|error| panic!("Kafka: {error}"))
}

pub type Reader = BaseConsumer<QuietContext>;

/// A consumer of all partitions of a topic, from the beginning on; of none when there is no such topic.
pub(crate) fn reader(topic: &str) -> Result<(Reader, TopicPartitionList), KafkaError> {
    let config = client("reader")
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "20")
        .clone();
    let consumer = Reader::from_config_and_context(&config, QuietContext)?;
    let metadata = consumer.fetch_metadata(Some(topic), DEADLINE)?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    Ok((consumer, assignment))
}

fn read_all(topic: &str) -> Result<Vec<Record>, KafkaError> {
    let (consumer, assignment) = reader(topic)?;
    let (mut records, mut ended) = (Vec::new(), 0);
    let deadline = Instant::now() + DEADLINE;
    while ended < assignment.count() {
        assert!(Instant::now() < deadline, "{topic} could not be read to its end");
        match consumer.poll(DEADLINE / 60) {
            Some(Ok(message)) => records.push(Record::read(&message)),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}

/// Deletes every topic whose name starts with `prefix`: those that the services make, also when the broker has only
/// just been asked to make them and does not list them yet, and whatever else there is.
pub async fn delete_topics(prefix: &str) -> Result<(), KafkaError> {
    let admin = AdminClient::from_config_and_context(&client("cleaner"), QuietContext)?;
    let metadata = admin.inner().fetch_metadata(None, DEADLINE)?;
    let listed = metadata.topics().iter().map(MetadataTopic::name);
    let own = Topics::with_prefix(prefix);
    let topics: BTreeSet<&str> =
        listed.filter(|name| name.starts_with(prefix)).chain(own.names()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    // That one of them is not there is what was wanted.
    admin.delete_topics(&topics, &AdminOptions::new()).await?;
    Ok(())
}

fn client(id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &servers().kafka_brokers)
        .set("client.id", format!("marquee-tests-{id}"));
    config
}
