//! What is published, and when.

use marquee_domain::MovieCommand;
use marquee_infra::kafka::cloud_event::PROJECTOR;
use projector::catalog_topic::{CatalogTopicSettings, DOCUMENT_TYPE, MovieDocument, standing};

use super::topic::{assert_never_older, beside, expected, read_aside, start, view, wait_for_view};
use crate::{
    bed::{Bed, Recorded, wait_until},
    samples::Log,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_has_each_movies_latest_document_and_a_tombstone_once_it_is_removed() {
    let bed = Bed::new().await;
    let topic = &bed.topics.catalog;
    let running = bed.start();
    let mut log = Log::new();
    let first = log.live_a_life("Sunrise");
    let second = log.live_a_life("Sunset");
    let third = log.create("Nightfall");
    let half = log.events.len() / 2;
    bed.publish_events(&log.events[..half]).await;
    bed.publish_events(&log.events[half..]).await;
    wait_for_view(&bed, topic, &expected(&log)).await;

    let so_far = log.events.len();
    log.command(second, MovieCommand::Remove);
    log.command(third, MovieCommand::Remove);
    log.retitle(first, "Sunrise: A Song of Two Humans");
    bed.publish_events(&log.events[so_far..]).await;
    wait_for_view(&bed, topic, &expected(&log)).await;
    running.stop().await;

    let settings = CatalogTopicSettings::new(bed.settings.kafka.clone(), &bed.settings.topics);
    for one in standing(&bed.pool, &settings).await.expect("it can be told") {
        assert_eq!(one.waiting_movies, 0);
        let sql = "SELECT CAST(COALESCE(MAX(position), 0) AS SIGNED) FROM catalog_movies WHERE kafka_partition = ";
        let last = bed.count(&format!("{sql}{}", one.partition)).await;
        assert_eq!(one.published_position.unwrap_or(0), u64::try_from(last).unwrap());
    }

    let published = read_aside(&bed, topic);
    assert_never_older(&published);
    for one in &published {
        let of_movie = log.of(one.key.parse().unwrap());
        let recorded = of_movie.iter().find(|event| event.sequence == one.version()).unwrap();
        assert_eq!(one.about.event_type, DOCUMENT_TYPE);
        assert_eq!(one.about.source, PROJECTOR);
        assert_eq!(one.about.subject, one.key);
        assert_eq!(one.about.id, format!("{}/{}", one.key, one.version()));
        assert_eq!(one.about.position, Some(recorded.position));
        assert_eq!(one.about.time, recorded.recorded_at);
        if let Some(document) = &one.document {
            let typed: MovieDocument = serde_json::from_value(document.clone()).unwrap();
            assert_eq!(serde_json::to_value(typed).unwrap(), *document);
        }
        let text = String::from_utf8_lossy(&one.bytes);
        assert!(!text.contains("sealed") && !text.contains("stream_url"), "{text}");
        assert!(!text.contains("v1.local.AAAA"), "no URL, sealed or not: {text}");
    }
    let tombstones = published.iter().filter(|one| one.document.is_none());
    let mut removed: Vec<&str> = tombstones.map(|one| one.key.as_str()).collect();
    removed.sort_unstable();
    assert_eq!(removed, [second, third].map(|id| id.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_topic_is_filled_from_the_tables_and_a_new_generation_fills_it_again() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    for n in 0..20 {
        let movie_id = log.live_a_life(&format!("Film {n}"));
        if n % 5 == 0 {
            log.command(movie_id, MovieCommand::Remove);
        }
    }
    bed.publish_events(&log.events).await;
    bed.wait_for_count(184, "SELECT COUNT(*) FROM movie_history").await;
    running.stop().await;

    let settings = beside(&bed);
    let topic = &settings.topics.catalog;
    let (publisher, stop) = start(&bed, &settings);
    wait_until("each movie is on the topic", || async { read_aside(&bed, topic).len() == 20 })
        .await;
    assert_eq!(view(&read_aside(&bed, topic)), expected(&log));

    sqlx::query("UPDATE projection_checkpoints SET generation = generation + 1")
        .execute(&bed.pool)
        .await
        .unwrap();
    wait_until("each movie is there again", || async { read_aside(&bed, topic).len() == 40 }).await;
    let records = read_aside(&bed, topic);
    assert_never_older(&records);
    assert_eq!(records.iter().filter(|one| one.document.is_none()).count(), 8);
    assert_eq!(view(&records), expected(&log));
    stop.cancel();
    publisher.ended().await;

    // What was published is not published again.
    let (publisher, stop) = start(&bed, &settings);
    let so_far = log.events.len();
    log.create("The last");
    bed.publish_events(&log.events[so_far..]).await;
    let running = bed.start();
    wait_for_view(&bed, topic, &expected(&log)).await;
    assert_eq!(read_aside(&bed, topic).len(), 41);
    stop.cancel();
    publisher.ended().await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_are_behind_the_topic_are_waited_for() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Sunrise");
    bed.publish_events(&log.events).await;
    wait_for_view(&bed, &bed.topics.catalog, &expected(&log)).await;
    running.stop().await;

    // A backup from before the last event is restored; the log's topic goes on.
    let sql = "UPDATE catalog_movies SET version = 8, position = 8, title = 'Sunrise'";
    sqlx::query(sql).execute(&bed.pool).await.unwrap();
    let sql = "UPDATE projection_checkpoints SET position = 8, next_offset = next_offset + 1,
                   generation = generation + 1 WHERE position = 9";
    sqlx::query(sql).execute(&bed.pool).await.unwrap();
    sqlx::query("DELETE FROM movie_history WHERE version = 9").execute(&bed.pool).await.unwrap();
    let running = bed.start();
    let other = log.create("Something else");
    bed.log(&log.events).await;
    log.retitle(movie_id, "Sunrise: A Song of Two Humans");
    log.retitle(other, "Something else, again");
    bed.publish_events(&log.events[9..]).await;
    wait_for_view(&bed, &bed.topics.catalog, &expected(&log)).await;
    running.stop().await;
    assert_never_older(&read_aside(&bed, &bed.topics.catalog));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_after_those_behind_it_reaches_the_topic() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let late = log.create("Late");
    for n in 0..8 {
        log.create(&format!("Film {n}"));
    }
    let records = log.events.iter().map(Recorded::record).collect();
    let partition = bed.publish(&bed.topics.movies, records).await[0].0;
    log.retitle(late, "Late, again");
    let retitled = log.events[9].clone();
    // Until its partition has an event behind it, however the movies are spread.
    loop {
        let movie_id = log.create(&format!("Film {}", log.events.len()));
        let record = log.of(movie_id)[0].record();
        if bed.publish(&bed.topics.movies, vec![record]).await[0].0 == partition {
            break;
        }
    }
    let movies = log.movies().len();
    wait_until("all movies are there, but for an event", || async {
        read_aside(&bed, &bed.topics.catalog).len() == movies
    })
    .await;
    // Its partition has passed its position: by the position alone nobody would see it.
    let passed = "SELECT COUNT(*) FROM catalog_movies m, catalog_movies later
                  WHERE m.title = 'Late' AND later.kafka_partition = m.kafka_partition
                      AND later.position > 10";
    assert!(bed.count(passed).await > 0);
    bed.publish_events(&[retitled]).await;
    wait_for_view(&bed, &bed.topics.catalog, &expected(&log)).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_too_large_holds_up_no_other() {
    let mut bed = Bed::new().await;
    let mut log = Log::new();
    let large = log.live_a_life("Large");
    let small = log.create("Small");
    bed.publish_events(&log.events).await;
    // For the publisher's own producer; records that it only reads may be larger.
    bed.settings.kafka.options.insert("message.max.bytes".to_owned(), "1200".to_owned());
    let running = bed.start();
    let mut without = expected(&log);
    without.remove(&large.to_string());
    wait_for_view(&bed, &bed.topics.catalog, &without).await;
    log.retitle(small, "Small, again");
    bed.publish_events(&log.events[10..]).await;
    let mut without = expected(&log);
    without.remove(&large.to_string());
    wait_for_view(&bed, &bed.topics.catalog, &without).await;
    // Later it fits.
    log.command(large, MovieCommand::Remove);
    bed.publish_events(&log.events[11..]).await;
    wait_until("the tombstone is there", || async {
        read_aside(&bed, &bed.topics.catalog).iter().any(|one| one.document.is_none())
    })
    .await;
    running.stop().await;
}
