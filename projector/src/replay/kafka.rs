//! Into a topic of its own, as the live topic has it: the same headers, keys and times.
//!
//! Events go in transactions, each of which holds the cursor too, as a note on an offset of a consumer
//! group that nobody joins. So topic and cursor never disagree, and a reader with
//! `isolation.level=read_committed` sees every event once, whatever was killed.

use std::time::{Duration, Instant};

use marquee_infra::{
    event_log::RecordedEvent,
    kafka::{
        ClientSettings, CloudEvent, TopicSettings, Topics, ensure_log_topic,
        transactional::{CursorStore, Mark, TransactionError, TransactionalProducer},
    },
};
use rdkafka::producer::FutureRecord;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    args::Existing,
    cursor::{Cursor, Tally},
    error::ReplayError,
    request::Request,
};
use crate::settings::Settings;

/// Events of one transaction, at most, but for a page.
const BATCH: usize = 5_000;
/// How long events wait for others to share a transaction with.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);
/// In whose name the cursor is kept.
const CURSOR_PARTITION: i32 = 0;
const MAX_TOPIC_LENGTH: usize = 249;

#[derive(Debug)]
pub struct KafkaTopic {
    producer: TransactionalProducer,
    topic: String,
    request: String,
    waiting: Vec<RecordedEvent>,
    /// After those that wait.
    cursor: Cursor,
    published: Instant,
}

/// What a topic has.
#[derive(Debug)]
pub enum Opened {
    /// Nothing of this replay: `begin` is to be called.
    Empty(Unbegun),
    Part(Box<KafkaTopic>),
    Whole(Tally),
}

#[derive(Debug)]
pub struct Unbegun {
    producer: TransactionalProducer,
    topic: String,
    request: String,
}

#[derive(Serialize, Deserialize)]
struct Note {
    /// SHA-256: the request itself may be too long for a note.
    request: String,
    #[serde(flatten)]
    cursor: Cursor,
}

pub async fn open(
    settings: &Settings,
    topic: &str,
    partitions: Option<i32>,
    request: &Request,
    existing: Existing,
) -> Result<Opened, ReplayError> {
    let client = &settings.kafka;
    if client.brokers.is_empty() {
        return Err(ReplayError::Refused("kafka.brokers is empty; set KAFKA_BROKERS".to_owned()));
    }
    check_name(topic, &settings.topics.names())?;
    let mut creation = settings.topics.creation();
    creation.partitions = partitions.unwrap_or(creation.partitions);
    let producer = connect(client, &settings.topics.prefix, topic, &creation).await?;
    let request = fingerprint(request);
    let mark = producer.marks(vec![CURSOR_PARTITION]).await?.into_iter().next();
    let is_empty = producer.is_empty(topic).await?;
    let Some(mark) = mark else {
        if !is_empty {
            return Err(ReplayError::Refused(format!(
                "topic {topic} has records, and no cursor of a replay; name another"
            )));
        }
        return Ok(Opened::Empty(Unbegun { producer, topic: topic.to_owned(), request }));
    };
    if existing != Existing::Resume {
        return Err(ReplayError::Refused(format!(
            "topic {topic} has a replay already; --resume goes on with it"
        )));
    }
    let note: Note = serde_json::from_str(&mark.note)
        .map_err(|error| ReplayError::Refused(format!("topic {topic}: its cursor: {error}")))?;
    if note.request != request {
        return Err(ReplayError::Refused(format!("topic {topic} has another replay")));
    }
    let cursor = note.cursor;
    if cursor.tally.events > 0 && is_empty {
        return Err(ReplayError::Refused(format!(
            "topic {topic} is not the one that was written to: it is empty"
        )));
    }
    if cursor.is_done() {
        return Ok(Opened::Whole(cursor.tally));
    }
    let unbegun = Unbegun { producer, topic: topic.to_owned(), request };
    Ok(Opened::Part(Box::new(unbegun.at(cursor))))
}

/// Fences a replay to the same topic that may still run.
async fn connect(
    client: &ClientSettings,
    prefix: &str,
    topic: &str,
    creation: &TopicSettings,
) -> Result<TransactionalProducer, ReplayError> {
    ensure_log_topic(client, topic, creation).await?;
    let id = format!("{prefix}marquee-replay.{topic}");
    let (client_settings, group, of) = (client.clone(), id.clone(), topic.to_owned());
    let store =
        tokio::task::spawn_blocking(move || CursorStore::open(&client_settings, &group, &of))
            .await
            .map_err(|_| TransactionError::Stopped)?
            .map_err(|source| TransactionError::Kafka { doing: "open a cursor", source })?;
    Ok(TransactionalProducer::open(client, &id, store).await?)
}

/// What the services read or write is not to be mixed with.
fn check_name(topic: &str, live: &Topics) -> Result<(), ReplayError> {
    let refuse = |why: &str| Err(ReplayError::Refused(format!("topic {topic:?} {why}")));
    let legal = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if topic.len() > MAX_TOPIC_LENGTH || !topic.chars().all(legal) || [".", ".."].contains(&topic) {
        return refuse("is no name for a topic: letters, digits, '.', '_' and '-', at most 249");
    }
    let live = [
        &live.movies,
        &live.stream_tokens,
        &live.viewing_sessions,
        &live.catalog,
        &live.dead_letters,
    ];
    if live.iter().any(|name| *name == topic) || topic.starts_with("marquee.") {
        return refuse("is the services' own; name another");
    }
    if topic.starts_with("__") {
        return refuse("is Kafka's own; name another");
    }
    Ok(())
}

fn fingerprint(request: &Request) -> String {
    let text = serde_json::to_vec(request).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}

impl Unbegun {
    /// Puts the cursor there before any record, so that whatever is there has one.
    pub async fn begin(self, cursor: Cursor) -> Result<KafkaTopic, ReplayError> {
        let mut topic = self.at(cursor);
        topic.publish().await?;
        Ok(topic)
    }

    fn at(self, cursor: Cursor) -> KafkaTopic {
        let Self { producer, topic, request } = self;
        let published = Instant::now();
        KafkaTopic { producer, topic, request, waiting: Vec::new(), cursor, published }
    }
}

impl KafkaTopic {
    pub fn cursor(&self) -> Cursor {
        self.cursor.clone()
    }

    pub async fn write(&mut self, events: &[RecordedEvent]) -> Result<(), ReplayError> {
        for event in events {
            self.cursor.tally.add(event);
            self.cursor.position = event.position;
        }
        self.waiting.extend_from_slice(events);
        self.publish_when_due().await
    }

    pub async fn end_page(&mut self, cursor: &Cursor) -> Result<(), ReplayError> {
        self.cursor = cursor.clone();
        self.publish_when_due().await
    }

    pub async fn publish_when_due(&mut self) -> Result<(), ReplayError> {
        if self.waiting.len() >= BATCH || self.published.elapsed() >= PUBLISH_INTERVAL {
            self.publish().await?;
        }
        Ok(())
    }

    /// Everything that waits, and how far it goes, in one transaction.
    pub async fn publish(&mut self) -> Result<(), ReplayError> {
        let keys: Vec<String> =
            self.waiting.iter().map(|event| event.movie_id.to_string()).collect();
        let records = self.waiting.iter().zip(&keys).map(|(event, key)| self.record(key, event));
        self.producer.publish(records.collect(), vec![self.mark()]).await?;
        self.waiting.clear();
        self.published = Instant::now();
        Ok(())
    }

    fn record<'a>(&'a self, key: &'a str, event: &'a RecordedEvent) -> FutureRecord<'a, str, [u8]> {
        FutureRecord::to(&self.topic)
            .key(key)
            .payload(event.payload.get().as_bytes())
            .headers(CloudEvent::from(event).to_headers())
            .timestamp(event.recorded_at.timestamp_millis())
    }

    fn mark(&self) -> Mark {
        let note = Note { request: self.request.clone(), cursor: self.cursor.clone() };
        Mark {
            partition: CURSOR_PARTITION,
            offset: i64::try_from(self.cursor.position).unwrap_or(i64::MAX),
            note: serde_json::to_string(&note).unwrap_or_default(),
        }
    }
}
