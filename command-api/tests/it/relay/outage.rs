//! Servers that are away, and topics that are not as they should be.

use command_api::relay::{Mode, Role};
use marquee_infra::kafka::{ClientSettings, ensure_topics};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};

use super::bed::Bed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_it_says_so_and_still_stops() {
    let bed = Bed::new().await;
    bed.append(3, 10).await;
    let mut settings = bed.settings.clone();
    settings.kafka = ClientSettings::new("127.0.0.1:1", "relay-test");
    let running = bed.relay_with("a", std::time::Duration::from_secs(60), settings);
    let status = running.until(|status| status.problem.is_some()).await;
    assert_eq!((status.role, status.mode), (Role::Leader, Mode::Starting));
    running.stop().await;

    // It gave the lease back, and had published nothing.
    let running = bed.relay("b");
    running.reaches(10).await;
    bed.assert_exactly_once(10).await;
    running.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mysql_it_says_so_and_still_stops() {
    let bed = Bed::new().await;
    sqlx::query("RENAME TABLE relay_lease TO away").execute(&bed.pool).await.unwrap();
    let running = bed.relay("a");
    let status = running.until(|status| status.problem.is_some()).await;
    assert_eq!(status.role, Role::Standby);
    bed.append(3, 10).await;
    sqlx::query("RENAME TABLE away TO relay_lease").execute(&bed.pool).await.unwrap();
    let status = running.reaches(10).await;
    assert_eq!(status.problem, None);
    running.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_forgets_events_is_refused() {
    let bed = Bed::new().await;
    bed.append(3, 10).await;
    let topic = NewTopic::new(&bed.settings.topics.movies, 3, TopicReplication::Fixed(1))
        .set("retention.ms", "604800000");
    let made = bed.admin().create_topics([&topic], &AdminOptions::new()).await.unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");

    let running = bed.relay("a");
    let status = running.until(|status| status.problem.is_some()).await;
    let problem = status.problem.unwrap();
    assert!(problem.contains("retention.ms=604800000"), "{problem}");
    running.stop().await;
    assert_eq!(bed.seen().await, []);
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_are_made_once_and_then_checked() {
    let bed = Bed::new().await;
    let ensure =
        || ensure_topics(&bed.settings.kafka, &bed.settings.topics, &bed.settings.topic_settings);
    let first = ensure().await.unwrap();
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|topic| topic.created), "{first:?}");
    let second = ensure().await.unwrap();
    assert!(second.iter().all(|topic| !topic.created && topic.checked), "{second:?}");
    bed.close().await;
}
