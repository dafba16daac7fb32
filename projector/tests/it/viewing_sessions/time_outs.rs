//! Sessions whose players have fallen silent.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::viewing_session::{Started, ViewingSessionEvent as Event};
use marquee_infra::{
    clock,
    kafka::{CloudEvent, cloud_event::PROJECTOR},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::BorrowedHeaders,
};
use uuid::Uuid;

use super::evening::{heartbeat, publish, started};
use crate::bed::{Bed, PARTITIONS, wait_until};

/// One whose player is to report every second.
fn hasty(session_id: Uuid) -> Event {
    let Event::ViewingSessionStarted(event) = started(session_id) else {
        unreachable!("that is what it makes")
    };
    Event::ViewingSessionStarted(Started { heartbeat_seconds: 1, ..event })
}

async fn ended(bed: &Bed, session_id: Uuid) -> Option<(DateTime<Utc>, String)> {
    let row: (Option<DateTime<Utc>>, Option<String>) = sqlx::query_as(
        "SELECT ended_at, CONVERT(end_reason USING utf8mb4) FROM viewing_sessions
         WHERE session_id = ?",
    )
    .bind(session_id.to_string())
    .fetch_optional(&bed.pool)
    .await
    .expect("the row can be read")?;
    row.0.zip(row.1)
}

/// The time-outs that are in the topic.
fn time_outs(bed: &Bed) -> Vec<CloudEvent> {
    let mut config = bed.settings.kafka.client_config();
    config.set("group.id", "unused").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let topic = &bed.topics.viewing_sessions;
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let timeout = Duration::from_secs(10);
        let (low, high) = consumer.fetch_watermarks(topic, partition, timeout).expect("it is up");
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Offset(low)).expect("a place");
        consumer.assign(&assignment).expect("it may");
        let mut at = low;
        while at < high {
            // The marks of transactions are no records: there the waiting ends by itself.
            let Some(record) = consumer.poll(Duration::from_secs(1)) else { break };
            let record = record.expect("it can be read");
            at = record.offset() + 1;
            let headers = record.headers().map(BorrowedHeaders::detach).expect("headers");
            found.push(CloudEvent::from_headers(&headers).expect("a CloudEvent"));
        }
    }
    found.retain(|event| event.event_type.ends_with(".ViewingSessionTimedOut.v1"));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn three_missed_heartbeats_end_a_session_by_an_event_and_a_later_one_opens_it_again() {
    let bed = Bed::new().await;
    let running = bed.start();
    let session_id = clock::new_uuid();
    let start = hasty(session_id);
    let heard = clock::now();
    publish(&bed, &[start, heartbeat(session_id, 1, heard)]).await;
    // A patient one beside it, and one that nobody knows the start of.
    let patient = clock::new_uuid();
    let before = clock::now() - TimeDelta::seconds(200);
    publish(&bed, &[started(patient), heartbeat(clock::new_uuid(), 1, before)]).await;

    let silent = ("TIMED_OUT".to_owned(), heard);
    wait_until("the session times out", || async {
        ended(&bed, session_id).await.map(|(at, why)| (why, at)) == Some(silent.clone())
    })
    .await;
    assert!(clock::now() >= heard + TimeDelta::seconds(3), "not before three were missed");
    assert_eq!(ended(&bed, patient).await, None);
    let published = time_outs(&bed);
    assert!(!published.is_empty(), "it is a fact of the log");
    for event in published {
        assert_eq!((event.source.as_str(), event.subject), (PROJECTOR, session_id.to_string()));
    }

    let back = clock::now();
    publish(&bed, &[heartbeat(session_id, 2, back)]).await;
    wait_until("it is open again", || async { ended(&bed, session_id).await.is_none() }).await;
    wait_until("and times out once more", || async {
        ended(&bed, session_id).await.is_some_and(|(at, _)| at == back)
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_was_away_reads_to_the_end_before_it_calls_anyone_silent() {
    let bed = Bed::new().await;
    let session_id = clock::new_uuid();
    let long_ago = clock::now() - TimeDelta::seconds(600);
    let Event::ViewingSessionStarted(start) = hasty(session_id) else { unreachable!() };
    let start = Event::ViewingSessionStarted(Started { started_at: long_ago, ..start });
    let mut events = vec![start];
    // Long over by its first heartbeats, and alive by its last.
    let beats = 2_000;
    let until = clock::now() + TimeDelta::seconds(3_600);
    events.extend((1..beats).map(|n| heartbeat(session_id, n, long_ago)));
    events.push(heartbeat(session_id, beats, until));
    for chunk in events.chunks(50) {
        publish(&bed, chunk).await;
    }
    let running = bed.start();
    wait_until("all is read", || async {
        let seen: Option<Option<DateTime<Utc>>> =
            sqlx::query_scalar("SELECT last_seen_at FROM viewing_sessions")
                .fetch_optional(&bed.pool)
                .await
                .expect("the row can be read");
        seen.flatten() == Some(until)
    })
    .await;
    assert_eq!(ended(&bed, session_id).await, None);
    running.stop().await;
    assert!(time_outs(&bed).is_empty());
}
