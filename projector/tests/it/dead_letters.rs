//! `marquee.dead-letters.v1`: every record that was parked, at least once.

use std::{collections::BTreeSet, time::Duration};

use marquee_infra::event_log::EventReader;
use projector::{
    dead_letters::{DeadLetters, DeadLettersSettings, header},
    parked::{self, Selection},
};
use rdkafka::{
    Message,
    message::{Headers, OwnedMessage},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bed::{Bed, Record, wait_until},
    catalog_topic::topic,
    samples::Log,
};

const WAITING: &str = "SELECT COUNT(*) FROM dead_letter_outbox";

/// A copy: what the record was, and what became of it.
pub struct Letter {
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    /// All of them, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Letter {
    fn of(message: &OwnedMessage) -> Self {
        Self {
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: plain(message.headers().expect("headers")),
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().rev().find(|(key, _)| key == name)?.1.as_deref()?;
        Some(std::str::from_utf8(value).expect("text"))
    }

    /// Of the record that it is a copy of.
    pub fn place(&self) -> (i32, i64) {
        let number = |name| self.text(name).expect("a number");
        (
            number(header::PARTITION).parse().expect("a partition"),
            number(header::OFFSET).parse().expect("an offset"),
        )
    }
}

pub fn plain<H: Headers>(headers: &H) -> Vec<(String, Option<Vec<u8>>)> {
    headers.iter().map(|one| (one.key.to_owned(), one.value.map(<[u8]>::to_vec))).collect()
}

/// All of them, once there is nothing more to be copied.
pub async fn all(bed: &Bed) -> Vec<Letter> {
    bed.wait_for_count(0, WAITING).await;
    read(bed)
}

fn read(bed: &Bed) -> Vec<Letter> {
    let topic = &bed.topics.dead_letters;
    tokio::task::block_in_place(|| topic::records(bed, topic).iter().map(Letter::of).collect())
}

/// Records that name no movie.
fn junk(number: usize) -> Vec<Record> {
    let mut log = Log::new();
    log.create("Junk");
    let record = |n: usize| Record {
        key: (!n.is_multiple_of(2)).then(|| format!("junk {n}").into_bytes()),
        payload: (!n.is_multiple_of(3)).then(|| vec![0xff; n % 7]),
        ..log.events[0].record()
    };
    (0..number).map(record).collect()
}

fn settings(bed: &Bed) -> DeadLettersSettings {
    DeadLettersSettings::new(bed.settings.kafka.clone(), &bed.settings.topics)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_records_are_parked_and_copied_later_also_those_discarded_meanwhile() {
    let bed = Bed::new().await;
    let mut elsewhere = settings(&bed);
    elsewhere.kafka.brokers = "127.0.0.1:1".to_owned();
    let stop = CancellationToken::new();
    // It has the lease, so that the projector's own one stands by.
    let without_kafka = DeadLetters::start(bed.pool.clone(), elsewhere, stop.clone());
    let status = without_kafka.watch();
    wait_until("it leads", || async { status().leads }).await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.create("Fine");
    let places = bed.publish(&bed.topics.movies, junk(3)).await;
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 1).await;
    bed.wait_for_count(3, "SELECT COUNT(*) FROM parked_events").await;
    wait_until("it has a problem", || async { status().problem.is_some() }).await;
    assert_eq!(status().waiting, 3);
    let reader = EventReader::new(bed.pool.clone());
    parked::discard(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(bed.count(WAITING).await, 3);

    stop.cancel();
    without_kafka.ended().await;
    let found: BTreeSet<(i32, i64)> = all(&bed).await.iter().map(Letter::place).collect();
    assert_eq!(found, BTreeSet::from_iter(places));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_killed_at_any_moment_leaves_nothing_out() {
    let bed = Bed::new().await;
    let running = bed.start();
    let places = bed.publish(&bed.topics.movies, junk(600)).await;
    bed.wait_for_count(600, "SELECT COUNT(*) FROM parked_events").await;
    running.stop().await;
    // To be copied again, all of them.
    for sql in [
        "DELETE FROM dead_letter_outbox",
        "INSERT INTO dead_letter_outbox (projection, topic, kafka_partition, kafka_offset,
             record_key, headers, payload, error, parked_at)
         SELECT projection, topic, kafka_partition, kafka_offset, record_key, headers, payload,
             error, parked_at FROM parked_events",
    ] {
        sqlx::query(sql).execute(&bed.pool).await.unwrap();
    }
    let mut settings = settings(&bed);
    settings.lease_term = Duration::from_millis(600);
    let mut topics = bed.settings.topics.clone();
    topics.prefix.push_str("again.");
    settings.topics = topics.names();
    for _ in 0..3 {
        let left = bed.count(WAITING).await;
        let publisher =
            DeadLetters::start(bed.pool.clone(), settings.clone(), CancellationToken::new());
        wait_until("it copies", || async { left == 0 || bed.count(WAITING).await < left }).await;
        publisher.abort_handle().abort();
        publisher.ended().await;
    }
    let stop = CancellationToken::new();
    let publisher = DeadLetters::start(bed.pool.clone(), settings.clone(), stop.clone());
    bed.wait_for_count(0, WAITING).await;
    stop.cancel();
    publisher.ended().await;
    let topic = &settings.topics.dead_letters;
    let copies = tokio::task::block_in_place(|| topic::records(&bed, topic));
    let found: BTreeSet<(i32, i64)> = copies.iter().map(|one| Letter::of(one).place()).collect();
    assert_eq!(found, BTreeSet::from_iter(places));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_record_that_is_too_large_for_the_topic_there_is_word_of_it() {
    let bed = Bed::new().await;
    bed.configure_topic(&bed.topics.dead_letters, &[("max.message.bytes", "2000")]).await;
    let running = bed.start();
    let mut log = Log::new();
    log.create("Large");
    let record = |bytes: usize| Record {
        key: None,
        payload: Some(vec![b'x'; bytes]),
        headers: log.events[0].cloud_event().to_headers(),
    };
    let places = bed.publish(&bed.topics.movies, vec![record(10_000), record(10)]).await;
    bed.wait_for_count(2, "SELECT COUNT(*) FROM parked_events").await;
    let letters = all(&bed).await;
    let of = |place| letters.iter().find(|one| one.place() == place).expect("a copy");
    let (large, small) = (of(places[0]), of(places[1]));
    assert_eq!((&large.payload, large.text(header::OMITTED_BYTES)), (&None, Some("10000")));
    assert_eq!((large.text(header::PROJECTION), large.text("ce_id")), (Some("catalog"), None));
    assert_eq!((&small.payload, small.text(header::OMITTED_BYTES)), (&Some(vec![b'x'; 10]), None));
    assert_eq!(small.text("ce_id"), Some(log.events[0].cloud_event().id.as_str()));
    running.stop().await;
}
