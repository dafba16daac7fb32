//! The relay under faults: killed, paused for longer than its lease, cut off from Kafka and from MySQL, at random and
//! several at a time, while clients go on. Kafka gets every event once and in order, whatever happened.
//!
//! `MARQUEE_TEST_SEED` repeats a sequence of faults, `MARQUEE_TEST_FAULTS` makes it longer. That the faults would be
//! enough to find something: with `MARQUEE_RELAY_DELIVERY=at_least_once` in the environment it fails, with doubles.

mod plan;
mod stage;

use std::time::Instant;

use marquee_infra::clock;
use marquee_tests::{
    checker::{Evidence, violations_of_publishing},
    evidence::topic_until,
    follower::Follower,
    load::{Load, Pace},
    servers::setting,
    summary,
};

use self::{plan::Plan, stage::Stage};

const FAULTS: usize = 104;
/// Enough to have something under way at every moment, and to leave a machine of two cores time for the faults.
const PACE: Pace = Pace::of(16).per_second(240.0);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_has_every_event_once_and_in_order_whatever_happens_to_the_relay() {
    let seed = setting("MARQUEE_TEST_SEED")
        .unwrap_or_else(|| u64::from(u32::from_le_bytes(clock::random_bytes())));
    let faults = setting("MARQUEE_TEST_FAULTS").unwrap_or(FAULTS);
    summary::say(&format!("chaos: MARQUEE_TEST_SEED={seed} MARQUEE_TEST_FAULTS={faults}"));
    let plan = Plan::new(seed, faults);

    let stage = Stage::set().await;
    let started = Instant::now();
    let follower = Follower::start(&stage.marquee.topics.movies).await;
    let load = Load::start(&stage.processes(), PACE);
    load.more(PACE.clients).await;
    let (mut slowest, mut rounds) = (0.0_f64, 0);
    for round in &plan.rounds {
        println!("{:7.1} s: {round}", started.elapsed().as_secs_f64());
        stage.play(round).await;
        let healed = Instant::now();
        stage.recovered(&follower).await;
        // Commands are served again, and what they lead to is published.
        load.more(PACE.clients).await;
        slowest = slowest.max(healed.elapsed().as_secs_f64());
        rounds += 1;
    }
    let told = load.stop().await;
    stage.recovered(&follower).await;
    let took = started.elapsed().as_secs_f64();

    let log = stage.marquee.database.log().await;
    let repeated = told.iter().filter(|told| told.attempts > 1).count();
    let acknowledged: Vec<_> = told.into_iter().map(|told| told.acknowledged).collect();
    assert_eq!(log.len(), acknowledged.len(), "every event is of a command that was acknowledged");
    let evidence = Evidence { acknowledged, log, topic: follower.stop(), movies: Vec::new() };
    let violations = violations_of_publishing(&evidence);
    assert!(violations.is_empty(), "{} violations: {violations:#?}", violations.len());
    let late = topic_until(&stage.marquee.topics.movies, evidence.log.len() as u64).await;
    assert_eq!(sorted(&evidence.topic), sorted(&late), "who reads later sees the same");

    // Had the faults hit nothing, this would have shown nothing.
    let leaders = stage.leaders().await;
    assert!(leaders > plan.count_of_lost_leads() as u64, "{leaders} leads");
    assert!(repeated > 0, "some commands had to be repeated");
    summary::say(&format!(
        "chaos: {} events exactly once and in order through {} faults in {rounds} rounds ({plan}), {leaders} leads, \
         {repeated} commands repeated, back within {slowest:.1} s, in {took:.0} s; seed {seed}",
        evidence.log.len(),
        plan.faults(),
    ));
}

fn sorted(
    topic: &[marquee_tests::checker::TopicRecord],
) -> Vec<marquee_tests::checker::TopicRecord> {
    let mut records = topic.to_vec();
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}
