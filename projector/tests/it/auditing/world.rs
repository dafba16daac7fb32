//! A log that is in MySQL, relayed to Kafka and projected; and auditing it.

use std::ops::RangeInclusive;

use marquee_infra::{
    event_log::{LogInspector, RecordedEvent},
    kafka::{CloudEvent, CursorStore, Mark, TransactionalProducer},
};
use projector::catalog_topic::{CatalogTopicSettings, standing};
use rdkafka::{message::OwnedHeaders, producer::FutureRecord};
use serde_json::Value;

use crate::{
    bed::{Bed, Running, wait_until},
    command_line,
    samples::Log,
};

pub struct World {
    pub bed: Bed,
    pub log: Log,
    relay: TransactionalProducer,
    logged: usize,
}

/// An event as a relay would publish it, to be changed before it is published.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub key: Option<String>,
    pub headers: OwnedHeaders,
    pub value: Vec<u8>,
    pub partition: Option<i32>,
}

impl Outgoing {
    pub fn of(event: &RecordedEvent) -> Self {
        Self {
            key: Some(event.movie_id.to_string()),
            headers: CloudEvent::from(event).to_headers(),
            value: event.payload.get().as_bytes().to_vec(),
            partition: None,
        }
    }
}

impl World {
    /// Nothing has happened yet.
    pub async fn new() -> Self {
        let bed = Bed::new().await;
        let group = bed.settings.topics.group("marquee.relay.v1");
        let store = CursorStore::open(&bed.settings.kafka, &group, &bed.topics.movies)
            .expect("the relay's cursor");
        let id = bed.settings.topics.group("marquee-relay");
        let relay = TransactionalProducer::open(&bed.settings.kafka, &id, store)
            .await
            .expect("Kafka is up");
        Self { bed, log: Log::new(), relay, logged: 0 }
    }

    /// Puts what is new into MySQL.
    pub async fn append(&mut self) {
        self.bed.log(&self.log.events[self.logged..]).await;
        self.logged = self.log.events.len();
    }

    /// The events as MySQL has them.
    pub async fn recorded(&self, positions: RangeInclusive<u64>) -> Vec<RecordedEvent> {
        let positions: Vec<u64> = positions.collect();
        LogInspector::new(self.bed.pool.clone()).at(&positions).await.expect("the log can be read")
    }

    /// Publishes as a relay does, with the cursor in the same transaction.
    pub async fn relay(&self, records: Vec<Outgoing>, cursor: u64) {
        let topic = self.bed.topics.movies.as_str();
        let mark = Mark {
            partition: 0,
            offset: i64::try_from(cursor).expect("a position"),
            note: String::new(),
        };
        self.publish_to(topic, records, vec![mark]).await;
    }

    pub async fn publish_to(&self, topic: &str, records: Vec<Outgoing>, marks: Vec<Mark>) {
        let messages = records.iter().map(|one| {
            let mut record = FutureRecord::<str, [u8]>::to(topic).headers(one.headers.clone());
            record.key = one.key.as_deref();
            record.payload = (!one.value.is_empty()).then_some(one.value.as_slice());
            record.partition = one.partition;
            record
        });
        self.relay.publish(messages.collect(), marks).await.expect("Kafka takes it");
    }

    pub async fn relay_all(&self, positions: RangeInclusive<u64>) {
        let cursor = *positions.end();
        let events = self.recorded(positions).await;
        for chunk in events.chunks(20) {
            let cursor = chunk.last().map_or(cursor, |event| event.position);
            self.relay(chunk.iter().map(Outgoing::of).collect(), cursor).await;
        }
    }

    /// Movies that live, one of them removed; all of it in MySQL, in Kafka and in the tables.
    pub async fn settled() -> Self {
        let mut world = Self::new().await;
        for n in 0..8 {
            world.log.live_a_life(&format!("Film {n}"));
        }
        let removed = world.log.live_a_life("Removed");
        world.log.command(removed, marquee_domain::MovieCommand::Remove);
        world.append().await;
        world.relay_all(1..=world.head()).await;
        let running = world.bed.start();
        world.wait_until_projected().await;
        running.stop().await;
        world
    }

    pub fn head(&self) -> u64 {
        self.log.events.len() as u64
    }

    /// In the tables, and on the catalog topic.
    pub async fn wait_until_projected(&self) {
        let events = i64::try_from(self.log.events.len()).expect("a number");
        self.bed.wait_for_count(events, "SELECT COUNT(*) FROM movie_history").await;
        self.wait_until_published().await;
    }

    pub async fn wait_until_published(&self) {
        let settings =
            CatalogTopicSettings::new(self.bed.settings.kafka.clone(), &self.bed.settings.topics);
        wait_until("the catalog topic is up to date", || async {
            let standings = standing(&self.bed.pool, &settings).await.expect("it can be told");
            standings.iter().all(|one| one.waiting_movies == 0)
        })
        .await;
    }

    pub fn start(&self) -> Running {
        self.bed.start()
    }

    /// Changes the tables by hand.
    pub async fn tamper(&self, sql: &str) {
        let changed = sqlx::query(sql).execute(&self.bed.pool).await.expect("it can be changed");
        assert!(changed.rows_affected() > 0, "{sql}");
    }

    pub async fn audit(&self, arguments: &[&str]) -> Audit {
        let output =
            command_line::run(&self.bed, &[&["audit", "--json"], arguments].concat()).await;
        let stderr = command_line::text(&output.stderr);
        let code = output.status.code().expect("it ends by itself");
        let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Audit { code, report, stderr }
    }
}

#[derive(Debug)]
pub struct Audit {
    pub code: i32,
    pub report: Value,
    pub stderr: String,
}

impl Audit {
    pub fn assert_clean(&self) {
        assert_eq!(self.report["findings"], serde_json::json!([]), "{}", self.stderr);
        assert_eq!((self.code, &self.report["clean"]), (0, &Value::Bool(true)), "{}", self.stderr);
    }

    /// Each kind that was found, with its ranges of positions.
    pub fn found(&self) -> Vec<(&str, Vec<(u64, u64)>)> {
        assert_eq!(self.code, 1, "{}", self.stderr);
        let findings = self.report["findings"].as_array().expect("a list");
        let range = |range: &Value| (range[0].as_u64().unwrap(), range[1].as_u64().unwrap());
        findings
            .iter()
            .map(|finding| {
                let kind = finding["kind"].as_str().expect("a kind");
                (kind, finding["positions"].as_array().unwrap().iter().map(range).collect())
            })
            .collect()
    }

    pub fn details(&self, kind: &str) -> String {
        let findings = self.report["findings"].as_array().expect("a list");
        let finding = findings.iter().find(|finding| finding["kind"] == kind);
        finding.map_or(String::new(), |finding| finding["details"].to_string())
    }
}
