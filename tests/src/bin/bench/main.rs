//! The benchmark: commands beside plain mysql-es, catalog reads beside nginx, each pair in one run.
//!
//! Needs the servers of profile `test` and release binaries: `infra/local/bench` sees to both.

mod baseline;
mod client;
mod commands;
mod cpu;
mod load;
mod machine;
mod movies;
mod reads;
mod report;
mod rounds;
mod steps;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use load::Timing;
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
    /// One section instead of all
    #[arg(long)]
    only: Option<Section>,
    /// How long each side is measured in each round
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many clients send commands
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 256])]
    clients: Vec<usize>,
    /// How many movies the catalog has
    #[arg(long, default_value_t = 200)]
    movies: usize,
    /// Append every round's figures to this file, as JSON lines
    #[arg(long)]
    json: Option<PathBuf>,
    /// The edge's listener for plain files
    #[arg(long, env = "MARQUEE_STATIC_URL")]
    static_url: String,
    /// The folder that it serves as /static/
    #[arg(long)]
    static_dir: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    Commands,
    Reads,
}

impl Arguments {
    fn plan(&self) -> Plan {
        let (rounds, seconds) = if self.quick { (1, 1.0) } else { (self.rounds, self.seconds) };
        let measured = Duration::from_secs_f64(seconds);
        Plan { rounds, timing: Timing { warm_up: measured.min(Duration::from_secs(1)), measured } }
    }

    fn wants(&self, section: Section) -> bool {
        self.only.is_none_or(|only| only == section)
    }
}

/// No rate limit gets in the way, but each is asked about every request.
const QUOTA: &str = "100000000";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    println!("{}", machine::describe().await?);
    let settings = vec![
        ("MARQUEE_RATE_LIMIT_ADMIN_MUTATION_QUOTA", QUOTA.to_owned()),
        ("MARQUEE_RATE_LIMIT_VIEWER_READ_QUOTA", QUOTA.to_owned()),
        // The bench is a proxy to them, with a viewer behind each connection.
        ("MARQUEE_RATE_LIMIT_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
    ];
    let setup = Setup { settings, ..Setup::default() };
    let mut report = Report::new(arguments.json.as_deref())?;
    let plan = arguments.plan();
    if arguments.wants(Section::Commands) {
        let marquee = Marquee::prepare(setup.clone()).await;
        commands::run(&marquee, &arguments.clients, plan, &mut report).await?;
    }
    if arguments.wants(Section::Reads) {
        let marquee = Marquee::prepare(setup).await;
        let address = arguments.static_url.trim_start_matches("http://").parse()?;
        let files = StaticFiles { address, folder: arguments.static_dir };
        reads::run(&marquee, &files, arguments.movies, plan, &mut report).await?;
    }
    Ok(())
}
