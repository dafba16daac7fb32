//! A broker that is really stopped, for minutes, under load: what commands feel of it, what it does to memory, and how
//! soon Kafka has everything afterwards.
//!
//! Needs a broker that may be stopped, and release binaries: `infra/local/kafka-outage` sees to both.

mod phases;

use std::{path::PathBuf, process::Command, time::Duration};

use clap::Parser;
use marquee_tests::{
    Marquee, Setup,
    checker::{Evidence, TopicRecord, violations_of_publishing},
    load::{Load, Pace},
    servers::repository,
    topic,
};
use phases::{Phase, Watch};
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures commands before, during and after an outage of Kafka.
#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Commands per second, of all clients together
    #[arg(long, default_value_t = 300.0)]
    rate: f64,
    /// Seconds before the outage
    #[arg(long, default_value_t = 60)]
    before: u64,
    /// Seconds without a broker
    #[arg(long, default_value_t = 120)]
    away: u64,
    /// Seconds of load after the broker is back
    #[arg(long, default_value_t = 60)]
    after: u64,
    /// The profile of the local stack whose Kafka is stopped and started
    #[arg(long, default_value = "spare")]
    profile: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // Movies in memory are no backlog, and their number must not look like one.
    let small_cache = ("MARQUEE_APPEND_CACHE_CAPACITY_MOVIES", "1000".to_owned());
    let marquee = Marquee::prepare(Setup { settings: vec![small_cache], ..Setup::default() }).await;
    marquee.command_api.start_ready().await;
    let pace = Pace::of(arguments.clients).per_second(arguments.rate);
    println!(
        "{} clients, {} commands/s in all; {} for {} s\n",
        arguments.clients,
        arguments.rate,
        marquee_tests::servers::binaries().display(),
        arguments.before + arguments.away + arguments.after,
    );
    let load = Load::start(&[marquee.commands()], pace);
    let mut watch = Watch::start(&marquee, &load);

    // Connections are made and buffers allocated.
    watch.go_on(Phase::WarmUp, Duration::from_secs(10)).await;
    watch.go_on(Phase::Before, Duration::from_secs(arguments.before)).await;
    let published = marquee.database.head().await;
    broker(&arguments.profile, "down").await;
    watch.go_on(Phase::Away, Duration::from_secs(arguments.away)).await;
    watch.enter(Phase::Starting);
    broker(&arguments.profile, "up").await;
    let back = Instant::now();
    let behind = marquee.database.head().await;
    watch.enter(Phase::After);
    watch.until_caught_up(behind).await;
    let caught_up = back.elapsed();
    watch.go_on(Phase::After, Duration::from_secs(arguments.after)).await;

    let told = load.stop().await;
    let head = marquee.database.head().await;
    watch.until_caught_up(head).await;
    watch.report(&told);
    println!(
        "\nKafka had the {} events of the outage {:.1} s after its return.",
        behind - published,
        caught_up.as_secs_f64()
    );
    let refused = told.iter().filter(|told| told.attempts > 1).count();
    println!("{} commands, {refused} of them refused at first.", told.len());

    let evidence = Evidence {
        acknowledged: told.into_iter().map(|told| told.acknowledged).collect(),
        log: marquee.database.log().await,
        topic: topic::records(&marquee.topics.movies).await.iter().map(TopicRecord::from).collect(),
        movies: Vec::new(),
    };
    let violations = violations_of_publishing(&evidence);
    anyhow::ensure!(violations.is_empty(), "{} violations: {violations:?}", violations.len());
    println!("Every one of {head} positions is on Kafka once, in order.");
    Ok(())
}

/// Starts or ends the profile's broker, and waits until that is done.
async fn broker(profile: &str, action: &'static str) {
    let stack: PathBuf = repository().join("infra/local/stack");
    let mut command = Command::new(stack);
    command.args([action, "kafka", "--profile", profile]);
    let done = tokio::task::spawn_blocking(move || marquee_tests::edge::run(&mut command)).await;
    done.expect("the script succeeds");
}
