//! What arrives in Kafka, and that it arrives once.

use std::{collections::HashMap, time::Duration};

use command_api::relay::{Mode, Role};
use marquee_infra::kafka::cloud_event::COMMAND_API;

use super::bed::{Bed, movie, payload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_once_in_order_with_their_attributes() {
    let bed = Bed::new().await;
    bed.append(5, 40).await;
    let running = bed.relay("a");
    let status = running.reaches(40).await;
    assert_eq!((status.role, status.mode), (Role::Leader, Mode::Transactional));
    assert_eq!(status.problem, None);

    bed.assert_exactly_once(40).await;
    let mut partitions = HashMap::new();
    for seen in bed.seen().await {
        let position = seen.event.position.unwrap();
        let id = movie(position % 5).to_string();
        // Position 5 is movie 0's first event, 10 its second; position 1 is movie 1's first.
        let sequence = if position % 5 == 0 { position / 5 } else { position / 5 + 1 };
        assert_eq!(seen.key, id);
        assert_eq!(seen.payload, payload(position));
        assert_eq!(seen.event.subject, id);
        assert_eq!(seen.event.id, format!("{id}/{sequence}"));
        assert_eq!(seen.event.sequence, Some(sequence));
        assert_eq!(seen.event.source, COMMAND_API);
        assert_eq!(seen.event.event_type, "marquee.movie.MovieShown.v1");
        assert_eq!(seen.event.actor, Some(id.clone()));
        assert_eq!(seen.event.command.as_deref(), Some("ShowMovie"));
        assert_eq!(seen.event.request_id, Some(format!("r{position}")));
        assert_eq!(seen.event.trace_parent, None);
        let partition = *partitions.entry(id).or_insert(seen.partition);
        assert_eq!(partition, seen.partition, "a movie's events share a partition");
    }
    running.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_in_this_process_wakes_it() {
    let mut bed = Bed::new().await;
    bed.settings.poll_interval = Duration::from_secs(3_600);
    let running = bed.relay("a");
    running.until(|status| status.mode == Mode::Transactional).await;
    for _ in 0..20 {
        let last = bed.append(2, 1).await;
        running.reaches(last).await;
    }
    bed.assert_exactly_once(20).await;
    running.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_another_process_are_found_without_a_wake_up() {
    let mut bed = Bed::new().await;
    let running = bed.relay("a");
    running.until(|status| status.mode == Mode::Transactional).await;
    // What this bed wakes from now on is nobody.
    bed.wake = tokio::sync::watch::channel(0).0;
    bed.append(2, 3).await;
    running.reaches(3).await;
    bed.assert_exactly_once(3).await;
    running.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_backlog_is_published_in_batches() {
    let mut bed = Bed::new().await;
    bed.settings.max_batch_events = 300;
    bed.append(50, 2_000).await;
    let running = bed.relay("a");
    running.reaches(2_000).await;
    bed.assert_exactly_once(2_000).await;
    running.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_resumes_without_a_double() {
    let bed = Bed::new().await;
    bed.append(7, 30).await;
    let first = bed.relay("a");
    first.reaches(30).await;
    first.stop().await;

    bed.append(7, 30).await;
    // The lease was released: a new process leads at once, though its term was a minute.
    let second = bed.relay("b");
    second.reaches(60).await;
    bed.assert_exactly_once(60).await;
    second.stop().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_in_the_midst_lose_and_double_nothing() {
    let mut bed = Bed::new().await;
    bed.settings.max_batch_events = 20;
    let term = Duration::from_millis(600);
    let mut last = 0;
    for round in 0..6_u64 {
        let running = bed.relay_with(&format!("r{round}"), term, bed.settings.clone());
        let target = last + 40 + round * 13;
        last = bed.append(9, 400).await;
        running.reaches(target).await;
        running.crash().await;
    }
    let running = bed.relay_with("last", term, bed.settings.clone());
    running.reaches(last).await;
    bed.assert_exactly_once(last).await;
    running.stop().await;
    bed.close().await;
}
