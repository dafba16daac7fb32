//! The relay without transactions: it says so, and whoever skips what he has seen sees everything once.

use marquee_tests::{
    Marquee, Setup,
    checker::{Evidence, Violation, deduplicated, violations},
    evidence::{catalog_until, topic_until},
    load::{Load, Pace},
    until,
};
use serde_json::json;
use sqlx::Executor;

/// As far as a cursor is behind whose process died before it could move it.
const AGAIN: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_transactions_nothing_is_lost_and_doubles_are_told_by_their_position() {
    let delivery = ("MARQUEE_RELAY_DELIVERY", "at_least_once".to_owned());
    let marquee = Marquee::prepare(Setup { settings: vec![delivery], ..Setup::default() }).await;
    marquee.command_api.start_ready().await;
    marquee.projector.start_ready().await;
    let announced = async || {
        let relay = marquee.command_api.check("relay").await?;
        (relay["role"] == json!("leader") && relay["mode"] == json!("at_least_once"))
            .then_some(relay)
    };
    until("/readyz says that delivery is at least once", announced).await;
    let load = Load::start(&[marquee.commands()], Pace::of(16));
    load.more(400).await;
    marquee.command_api.crash_and_start().await;
    load.more(400).await;
    let told = load.stop().await;
    let head = marquee.database.head().await;
    let published = async || (announced().await?["position"].as_u64()? >= head).then_some(());
    until("all is published", published).await;

    // A crash between Kafka's acknowledgement and the cursor's move leaves this behind.
    marquee.command_api.kill();
    let behind = format!("UPDATE relay_lease SET position = position - {AGAIN}");
    marquee.database.pool().execute(&*behind).await.expect("the cursor can be moved");
    marquee.command_api.start_ready().await;
    let last = marquee.admin().create_hidden("Last").await;
    assert_eq!(last.version, 1);
    let log = marquee.database.log().await;
    let movies = catalog_until(&marquee, &log).await;
    let seen = topic_until(&marquee.topics.movies, head + 1).await;
    let mut evidence = Evidence {
        acknowledged: told.into_iter().map(|told| told.acknowledged).collect(),
        log,
        topic: seen,
        movies,
    };
    let doubles = violations(&evidence);
    for position in head - AGAIN + 1..=head {
        assert!(doubles.contains(&Violation::TwiceOnTopic { position }), "{position}: {doubles:?}");
    }
    evidence.topic = deduplicated(&evidence.topic);
    assert_eq!(violations(&evidence), []);
}
