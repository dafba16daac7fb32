//! Several command-api processes on one event log: all of them append, one of them publishes.

use std::{collections::BTreeSet, time::Duration};

use marquee_tests::{
    Api, Marquee,
    client::http,
    evidence::assert_consistent,
    jwt,
    load::{Load, Pace},
    service::Service,
    summary, until,
};
use tokio::time::{Instant, timeout_at};

const CROWD: Pace = Pace::of(64);

/// A guarantee: so long after the leader's death another process leads.
const TAKEOVER: Duration = Duration::from_secs(5);

fn api(service: &Service) -> Api {
    Api::new(http(), service.url(), Some(jwt::admin()))
}

async fn leads(service: &Service) -> bool {
    let relay = service.check("relay").await;
    relay.is_some_and(|relay| relay["role"] == "leader")
}

/// A Marquee whose command-api leads, and a second one.
async fn two() -> (Marquee, Service) {
    let marquee = Marquee::start().await;
    until("the first process leads", async || leads(&marquee.command_api).await.then_some(()))
        .await;
    let second = marquee.command_api.twin("command-api-2");
    second.start_ready().await;
    (marquee, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_under_64_clients_give_out_every_position_once_and_lose_nothing() {
    const COMMANDS: usize = 1_500;
    let (marquee, second) = two().await;
    let processes = [api(&marquee.command_api), api(&second)];
    // Every other client starts with the second; all movies are of one log.
    let load = Load::start(&processes, CROWD);
    load.more(COMMANDS).await;
    let told = load.stop().await;

    assert!(told.iter().all(|told| told.attempts == 1), "nothing was down");
    let appended = async |service: &Service| {
        let metrics = api(service).get("/metrics").send().await.expect(200).text();
        metrics.contains("marquee_event_log_batch_commands")
    };
    assert!(appended(&marquee.command_api).await && appended(&second).await, "both appended");
    let acknowledged: Vec<_> = told.into_iter().map(|told| told.acknowledged).collect();
    let positions: BTreeSet<u64> = acknowledged.iter().map(|told| told.position).collect();
    let commands = u64::try_from(acknowledged.len()).expect("it fits");
    // Each of these commands leads to one event.
    assert!(positions.into_iter().eq(1..=commands), "{commands} commands, positions 1, 2, 3, ...");
    let evidence = assert_consistent(&marquee, acknowledged).await;
    summary::say(&format!(
        "leaders: {} events of {} clients at two processes, gap-free, each once on Kafka and in the catalog",
        evidence.log.len(),
        CROWD.clients
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_killed_under_load_the_other_leads_within_5_s_and_publishes() {
    let (marquee, second) = two().await;
    let load = Load::start(&[api(&marquee.command_api), api(&second)], CROWD);
    load.more(4 * CROWD.clients).await;

    assert!(!leads(&second).await, "there is one leader");
    let killed = Instant::now();
    marquee.command_api.kill();
    let taken_over = timeout_at(killed + TAKEOVER, async {
        until("the second leads", async || leads(&second).await.then_some(())).await;
    })
    .await;
    let took = killed.elapsed();
    assert!(taken_over.is_ok(), "{TAKEOVER:?} after the leader's death nobody leads");
    let head = marquee.database.head().await;
    load.more(4 * CROWD.clients).await;
    until(&format!("the second publishes beyond position {head}"), async || {
        let relay = second.check("relay").await?;
        (relay["position"].as_u64()? > head).then_some(())
    })
    .await;

    let told = load.stop().await;
    let repeated = told.iter().filter(|told| told.attempts > 1).count();
    assert!(repeated > 0, "the leader died under the clients' hands");
    let acknowledged = told.into_iter().map(|told| told.acknowledged).collect();
    let evidence = assert_consistent(&marquee, acknowledged).await;
    summary::say(&format!(
        "leaders: the other leads {:.1} s after the leader's kill -9 under {} clients; {} events, {repeated} commands \
         repeated, nothing lost, nothing double",
        took.as_secs_f64(),
        CROWD.clients,
        evidence.log.len(),
    ));
}
