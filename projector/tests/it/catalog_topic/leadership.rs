//! Publishers that are killed, fenced, doubled, or without Kafka.

use std::collections::{BTreeMap, BTreeSet};

use marquee_infra::kafka::{CursorStore, Mark, TransactionalProducer};
use projector::catalog_topic::Role;
use rdkafka::producer::FutureRecord;

use super::topic::{assert_never_older, beside, expected, read_aside, start, view, wait_for_view};
use crate::{
    bed::{Bed, wait_until},
    samples::Log,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_killed_at_any_moment_leaves_nothing_out_and_nothing_older_behind() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    for n in 0..60 {
        log.live_a_life(&format!("Film {n}"));
    }
    for chunk in log.events.chunks(90) {
        bed.publish_events(chunk).await;
    }
    bed.wait_for_count(540, "SELECT COUNT(*) FROM movie_history").await;

    let settings = beside(&bed);
    let topic = &settings.topics.catalog;
    let mut seen = 0;
    // The projectors' own publisher lets go of the lease now and then, as if killed too.
    running.stop().await;
    for round in 0..5 {
        let (publisher, _stop) = start(&bed, &settings);
        wait_until("a batch more is on the topic", || async {
            read_aside(&bed, topic).len() > seen
        })
        .await;
        publisher.abort_handle().abort();
        publisher.ended().await;
        seen = read_aside(&bed, topic).len();
        let so_far = log.events.len();
        for movie_id in log.movies().into_iter().skip(round * 9).take(9) {
            log.retitle(movie_id, &format!("{movie_id} {round}"));
        }
        bed.publish_events(&log.events[so_far..]).await;
        let running = bed.start();
        let total = log.events.len();
        bed.wait_for_count(total.try_into().unwrap(), "SELECT COUNT(*) FROM movie_history").await;
        running.stop().await;
    }
    let (publisher, stop) = start(&bed, &settings);
    wait_for_view(&bed, topic, &expected(&log)).await;
    stop.cancel();
    publisher.ended().await;
    assert_never_older(&read_aside(&bed, topic));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_projectors_one_publishes_and_never_an_older_document_after_a_newer_one() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    let mut published = 0;
    let mut running = vec![bed.start()];
    let mut movies = Vec::new();
    for round in 0..6 {
        movies.push(log.live_a_life(&format!("Film {round}")));
        for movie_id in &movies {
            for n in 0..4 {
                log.retitle(*movie_id, &format!("{movie_id} {round} {n}"));
            }
        }
        running.push(bed.start());
        for chunk in log.events[published..].chunks(3) {
            bed.publish_events(chunk).await;
        }
        published = log.events.len();
        if round % 2 == 1 {
            running.remove(0).stop().await;
        }
    }
    wait_for_view(&bed, &bed.topics.catalog, &expected(&log)).await;
    for one in running {
        one.stop().await;
    }
    assert_never_older(&read_aside(&bed, &bed.topics.catalog));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opened_last_fences_all_others_and_finds_what_they_committed() {
    let bed = Bed::new().await;
    let open = async || {
        let client = &bed.settings.kafka;
        let store =
            CursorStore::open(client, &format!("{}g", bed.topics.catalog), &bed.topics.movies)
                .expect("a cursor");
        TransactionalProducer::open(client, &bed.topics.catalog, store).await.expect("it opens")
    };
    let record = |key: &'static str| {
        vec![FutureRecord::to(&bed.topics.viewing_sessions).key(key).payload(b"x".as_slice())]
    };
    let mark = |offset| vec![Mark { partition: 1, offset, note: "note".to_owned() }];

    let paused = open().await;
    paused.publish(record("a"), mark(7)).await.expect("it publishes");
    let newer = open().await;
    assert_eq!(newer.marks(vec![0, 1, 2]).await.expect("a cursor"), mark(7));
    let refused = paused.publish(record("b"), mark(8)).await.expect_err("it is fenced");
    assert!(refused.is_fenced(), "{refused:?}");
    newer.publish(record("c"), mark(9)).await.expect("it publishes");
    assert_eq!(newer.marks(vec![1]).await.expect("a cursor"), mark(9));
    assert!(!newer.is_empty(&bed.topics.viewing_sessions).await.expect("it is known"));
    assert!(newer.is_empty(&bed.topics.catalog).await.expect("it is known"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_was_fenced_finds_its_place_again() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Sunrise");
    bed.publish_events(&log.events).await;
    wait_for_view(&bed, &bed.topics.catalog, &expected(&log)).await;

    let id = bed.settings.topics.group("marquee-catalog-topic");
    let store = CursorStore::open(&bed.settings.kafka, "nobody-joins-it", &bed.topics.movies);
    TransactionalProducer::open(&bed.settings.kafka, &id, store.expect("a cursor"))
        .await
        .expect("it fences");
    log.retitle(movie_id, "Sunrise: A Song of Two Humans");
    bed.publish_events(&log.events[9..]).await;
    wait_for_view(&bed, &bed.topics.catalog, &expected(&log)).await;
    running.stop().await;
    let published = read_aside(&bed, &bed.topics.catalog);
    assert_never_older(&published);
    let ids: BTreeSet<&str> = published.iter().map(|one| one.about.id.as_str()).collect();
    assert_eq!(ids.len(), published.len(), "nothing was published twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_away_it_says_so_and_the_tables_go_on() {
    let bed = Bed::new().await;
    let mut settings = beside(&bed);
    let brokers = std::mem::replace(&mut settings.kafka.brokers, "127.0.0.1:1".to_owned());
    let (publisher, stop) = start(&bed, &settings);
    let status = publisher.watch();
    wait_until("it has a problem", || async { status().problem.is_some() }).await;
    assert_eq!(status().role, Role::Leader);
    assert!(status().stalled_for.is_some());
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Sunrise");
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 9).await;
    stop.cancel();
    publisher.ended().await;
    running.stop().await;

    settings.kafka.brokers = brokers;
    let (publisher, stop) = start(&bed, &settings);
    wait_for_view(&bed, &settings.topics.catalog, &expected(&log)).await;
    let status = publisher.watch();
    wait_until("all is well", || async {
        status().problem.is_none() && status().stalled_for.is_none()
    })
    .await;
    stop.cancel();
    publisher.ended().await;
    assert_ne!(view(&read_aside(&bed, &settings.topics.catalog)), BTreeMap::new());
}
