//! The benchmark: Marquee beside what one would take instead, in one run on the same servers.
//!
//! Needs the servers of profile `test` and release binaries: `infra/local/bench` sees to both.

mod arrivals;
mod baseline;
mod catalog;
mod client;
mod commands;
mod cpu;
mod debezium;
mod limits;
mod load;
mod log_readers;
mod machine;
mod movies;
mod mysql_reads;
mod passes;
mod projection;
mod reads;
mod report;
mod rounds;
mod seed;
mod steps;
mod table;
mod to_kafka;
mod to_visible;
mod tokens;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use load::Timing;
use log_readers::Wanted;
use machine::ServerProcesses;
use marquee_tests::{Marquee, Setup};
use reads::StaticFiles;
use report::Report;
use rounds::Plan;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Marquee, and what one would take instead, side by side on the same servers.
#[derive(Parser)]
struct Arguments {
    /// One short round of everything: whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// These sections instead of all
    #[arg(long, value_delimiter = ',')]
    only: Vec<Section>,
    /// Do not measure Debezium, which is fetched from Maven Central when it is first needed
    #[arg(long)]
    no_debezium: bool,
    /// Also when the broker has the topics of many tests, which slow it down
    #[arg(long)]
    any_broker: bool,
    /// How long each side is measured in each round
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many clients send commands
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 256])]
    clients: Vec<usize>,
    /// How many events the log has for its readers
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    sizes: Vec<u64>,
    /// How many movies there are to revise and to wait for
    #[arg(long, default_value_t = 200)]
    movies: usize,
    /// How many movies the catalog has that is read
    #[arg(long, default_value_t = 36_000)]
    catalog: u64,
    /// Append every round's figures to this file, as JSON lines
    #[arg(long)]
    json: Option<PathBuf>,
    /// The edge's listener for plain files
    #[arg(long, env = "MARQUEE_STATIC_URL")]
    static_url: String,
    /// The folder that it serves as /static/
    #[arg(long)]
    static_dir: PathBuf,
    #[command(flatten)]
    servers: ServerProcesses,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// Commands per second, beside mysql-es with and without an outbox
    Commands,
    /// Commit to Kafka, beside a polled outbox and Debezium; commit to visible
    Latency,
    /// GET /v1/events
    Feed,
    /// projector replay
    Replay,
    /// Events into read models, live and in a rebuild, beside cqrs-es's GenericQuery
    Projection,
    /// Catalog reads, beside nginx and beside MySQL asked each time
    Reads,
    /// Catalog reads, with and without rate limits
    Limits,
    /// Stream tokens with their audit
    Tokens,
}

impl Arguments {
    fn plan(&self, at_least_seconds: f64) -> Plan {
        let seconds = self.seconds.max(at_least_seconds);
        let (rounds, seconds) = if self.quick { (1, 1.0) } else { (self.rounds, seconds) };
        let measured = Duration::from_secs_f64(seconds);
        let timing = Timing { warm_up: measured.min(Duration::from_secs(1)), measured };
        Plan { rounds, timing, brief: self.quick }
    }

    fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }
}

/// Latencies are measured for longer: at a few hundred a second, a p99 needs some seconds.
const LATENCY_SECONDS: f64 = 8.0;
/// To see whether it works, the shortest log will do.
const QUICK_SIZES: usize = 1;
const QUICK_CATALOG: u64 = 400;

/// No rate limit gets in the way, but each is asked about every request.
const QUOTA: &str = "100000000";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    println!("{}", machine::describe().await?);
    println!("{}", machine::check_broker(arguments.any_broker)?);
    let settings = vec![
        ("MARQUEE_RATE_LIMIT_ADMIN_MUTATION_QUOTA", QUOTA.to_owned()),
        ("MARQUEE_RATE_LIMIT_VIEWER_READ_QUOTA", QUOTA.to_owned()),
        // The bench is a proxy to them, with a viewer behind each connection.
        ("MARQUEE_RATE_LIMIT_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
    ];
    let setup = Setup { settings, ..Setup::default() };
    let mut report = Report::new(arguments.json.as_deref())?;
    let (plan, servers) = (arguments.plan(0.0), arguments.servers);
    let latency_plan = arguments.plan(LATENCY_SECONDS);
    if arguments.wants(Section::Commands) {
        let marquee = Marquee::prepare(setup.clone()).await;
        commands::run(&marquee, &arguments.clients, plan, servers, &mut report).await?;
    }
    if arguments.wants(Section::Latency) {
        let marquee = Marquee::prepare(setup.clone()).await;
        to_kafka::run(&marquee, latency_plan, servers, !arguments.no_debezium, &mut report).await?;
        let movies = catalog::fill(&marquee, arguments.movies).await?;
        to_visible::run(&marquee, &movies, latency_plan, servers, &mut report).await?;
    }
    if arguments.wants(Section::Reads) {
        let marquee = Marquee::prepare(setup.clone()).await;
        let movies = if arguments.quick { QUICK_CATALOG } else { arguments.catalog };
        let slug = catalog::fill_with_copies(&marquee, movies).await?;
        let address = arguments.static_url.trim_start_matches("http://").parse()?;
        let files = StaticFiles { address, folder: arguments.static_dir.clone() };
        reads::run(&marquee, &files, &slug, plan, servers, &mut report).await?;
    }
    if arguments.wants(Section::Limits) {
        let marquee = Marquee::prepare(setup.clone()).await;
        let movies = catalog::fill(&marquee, arguments.movies).await?;
        limits::run(&marquee, &movies, plan, servers, &mut report).await?;
    }
    if arguments.wants(Section::Tokens) {
        let marquee = Marquee::prepare(setup.clone()).await;
        let movies = catalog::fill(&marquee, arguments.movies).await?;
        tokens::run(&marquee, &movies, plan, servers, &mut report).await?;
    }
    let wanted =
        Wanted { feed: arguments.wants(Section::Feed), replay: arguments.wants(Section::Replay) };
    let sizes = if arguments.quick { QUICK_SIZES } else { arguments.sizes.len() };
    let sizes = &arguments.sizes[..sizes.min(arguments.sizes.len())];
    if wanted.feed || wanted.replay {
        let marquee = Marquee::prepare(setup.clone()).await;
        log_readers::run(&marquee, sizes, wanted, servers, &mut report).await?;
    }
    if arguments.wants(Section::Projection) {
        projection::run(&setup, sizes, plan, servers, &mut report).await?;
    }
    Ok(())
}
