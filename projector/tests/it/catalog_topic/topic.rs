//! Reading the catalog topic, and what has to be on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use marquee_domain::MovieId;
use marquee_infra::kafka::CloudEvent;
use projector::catalog_topic::{CatalogTopic, CatalogTopicSettings};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::OwnedMessage,
    metadata::MetadataPartition,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    bed::{Bed, wait_until},
    samples::Log,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A record of the topic, in its partition's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub key: String,
    pub about: CloudEvent,
    /// None: a tombstone.
    pub document: Option<Value>,
    pub bytes: Vec<u8>,
}

impl Published {
    fn of(message: &OwnedMessage) -> Self {
        let bytes = message.payload().unwrap_or_default().to_vec();
        Self {
            key: String::from_utf8(message.key().expect("a key").to_vec()).expect("text"),
            about: CloudEvent::from_headers(message.headers().expect("headers"))
                .expect("a CloudEvent"),
            document: message
                .payload()
                .map(|bytes| serde_json::from_slice(bytes).expect("a document is JSON")),
            bytes,
        }
    }

    pub fn version(&self) -> u64 {
        self.about.sequence.expect("a version")
    }
}

/// All documents of the topic, one partition after the other.
pub fn read(bed: &Bed, topic: &str) -> Vec<Published> {
    records(bed, topic).iter().map(Published::of).collect()
}

/// All records of the topic, one partition after the other.
pub fn records(bed: &Bed, topic: &str) -> Vec<OwnedMessage> {
    let mut config = bed.settings.kafka.client_config();
    config
        .set("group.id", "nobody-joins-it")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "20")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), DEADLINE).expect("Kafka is up");
    let partitions: BTreeSet<i32> =
        metadata.topics()[0].partitions().iter().map(MetadataPartition::id).collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&assignment).expect("it can be assigned");
    let mut found = BTreeMap::<i32, Vec<OwnedMessage>>::new();
    let mut open = partitions;
    let deadline = Instant::now() + DEADLINE;
    while !open.is_empty() {
        assert!(Instant::now() < deadline, "the topic's end was not reached");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                found.entry(message.partition()).or_default().push(message.detach());
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => panic!("the topic can't be read: {error}"),
            None => {}
        }
    }
    found.into_values().flatten().collect()
}

/// What compaction leaves, tombstones taken for what they mean.
pub fn view(published: &[Published]) -> BTreeMap<String, Value> {
    let mut view = BTreeMap::new();
    for one in published {
        match &one.document {
            Some(document) => view.insert(one.key.clone(), document.clone()),
            None => view.remove(&one.key),
        };
    }
    view
}

/// The log's movies as documents, by way of the domain alone.
pub fn expected(log: &Log) -> BTreeMap<String, Value> {
    log.movies()
        .into_iter()
        .filter_map(|id| Some((id.to_string(), expected_document(log, id)?)))
        .collect()
}

fn expected_document(log: &Log, movie_id: MovieId) -> Option<Value> {
    let (movie, version) = log.fold(movie_id);
    let mut document = json!(movie.listed()?);
    for source in document["stream_sources"].as_array_mut().expect("a list") {
        let source = source.as_object_mut().expect("an object");
        source.remove("sealed_url").expect("a sealed URL");
        // Documents keep seconds, whatever the events do.
        for name in ["measured_duration", "shortest_variant"] {
            if let Some(duration) = source.remove(&format!("{name}_ms")) {
                let seconds = duration.as_f64().expect("a number") / 1000.0;
                source.insert(format!("{name}_seconds"), json!(seconds));
            }
        }
    }
    document["version"] = json!(version);
    document["position"] = json!(log.of(movie_id).last()?.position);
    Some(document)
}

/// A compacted topic must never go back.
pub fn assert_never_older(published: &[Published]) {
    let mut versions = BTreeMap::<&str, u64>::new();
    for one in published {
        let last = versions.entry(&one.key).or_default();
        assert!(*last <= one.version(), "{} comes after version {last}", one.about.id);
        *last = one.version();
    }
}

pub async fn wait_for_view(bed: &Bed, topic: &str, expected: &BTreeMap<String, Value>) {
    wait_until("the topic has the latest documents, no others", || async {
        view(&read_aside(bed, topic)) == *expected
    })
    .await;
}

/// While the runtime's other tasks go on.
pub fn read_aside(bed: &Bed, topic: &str) -> Vec<Published> {
    tokio::task::block_in_place(|| read(bed, topic))
}

/// A publisher beside those of the projectors: for a topic and with an id of its own.
pub fn beside(bed: &Bed) -> CatalogTopicSettings {
    let mut settings = CatalogTopicSettings::new(bed.settings.kafka.clone(), &bed.settings.topics);
    settings.topics.catalog = format!("{}beside", settings.topics.catalog);
    settings.transactional_id.push_str("-beside");
    settings.consumer_group.push_str("-beside");
    settings.lease_term = Duration::from_millis(600);
    settings.max_batch_movies = 6;
    settings
}

pub fn start(bed: &Bed, settings: &CatalogTopicSettings) -> (CatalogTopic, CancellationToken) {
    let stop = CancellationToken::new();
    (CatalogTopic::start(bed.pool.clone(), settings.clone(), stop.clone()), stop)
}
