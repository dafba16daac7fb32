//! Everything that is known of a Marquee from outside, brought together for the checker.

use crate::{
    checker::{Acknowledged, Evidence, TopicRecord, violations},
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
    let head = marquee.database.head().await;
    until(&format!("the catalog comes to position {head}"), async || {
        (marquee.database.projected().await >= head).then_some(())
    })
    .await;
    let evidence = Evidence {
        acknowledged,
        log: marquee.database.log().await,
        topic: topic_until(&marquee.topics.movies, head).await,
        movies: marquee.database.movies().await,
    };
    let violations = violations(&evidence);
    assert!(violations.is_empty(), "{} violations: {violations:#?}", violations.len());
    evidence
}

/// The topic's records, once it has the one of `position`.
pub async fn topic_until(topic: &str, position: u64) -> Vec<TopicRecord> {
    until(&format!("{topic} has position {position}"), async || {
        let records: Vec<TopicRecord> =
            topic::records(topic).await.iter().map(TopicRecord::from).collect();
        let last = records.iter().map(|record| record.position).max().unwrap_or(0);
        (last >= position).then_some(records)
    })
    .await
}
