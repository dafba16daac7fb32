//! Everything that is known of a Marquee from outside, brought together for the checker.

use std::collections::{BTreeSet, HashMap};

use crate::{
    checker::{Acknowledged, Evidence, LogRow, MovieRow, TopicRecord, violations},
    marquee::Marquee,
    topic,
    wait::until,
};

/// Waits until Kafka and the catalog have what the log has, then checks that all of it agrees with what was
/// acknowledged, and that nothing is there twice.
///
/// # Panics
/// When it does not, with every violation.
pub async fn assert_consistent(marquee: &Marquee, acknowledged: Vec<Acknowledged>) -> Evidence {
    let log = marquee.database.log().await;
    let head = log.last().map_or(0, |row| row.position);
    let movies = catalog_until(marquee, &log).await;
    let topic = topic_until(&marquee.topics.movies, head).await;
    let evidence = Evidence { acknowledged, log, topic, movies };
    let violations = violations(&evidence);
    assert!(violations.is_empty(), "{} violations: {violations:#?}", violations.len());
    evidence
}

/// The catalog, once it has every movie of the log up to the movie's last event. Partitions are projected side by side:
/// the highest position may be there before others.
pub async fn catalog_until(marquee: &Marquee, log: &[LogRow]) -> Vec<MovieRow> {
    let last: HashMap<&str, u64> = log.iter().map(|row| (&*row.movie_id, row.position)).collect();
    until(
        &format!("the catalog has all {} movies, and their last events", last.len()),
        async || {
            let movies = marquee.database.movies().await;
            let is_there = |row: &&MovieRow| {
                last.get(&*row.movie_id).is_some_and(|position| row.position >= *position)
            };
            (movies.iter().filter(is_there).count() == last.len()).then_some(movies)
        },
    )
    .await
}

/// The topic's records, once it has as many as there are positions. One transaction becomes visible partition by
/// partition.
pub async fn topic_until(topic: &str, position: u64) -> Vec<TopicRecord> {
    until(&format!("{topic} has every position up to {position}"), async || {
        let records: Vec<TopicRecord> =
            topic::records(topic).await.iter().map(TopicRecord::from).collect();
        let seen: BTreeSet<u64> = records.iter().map(|record| record.position).collect();
        (seen.len() as u64 >= position).then_some(records)
    })
    .await
}
