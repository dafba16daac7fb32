//! `POST /v1/movies`: command-api beside mysql-es, alone and with an outbox, on the same MySQL.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use marquee_tests::{Marquee, jwt, service::Service};

use super::{
    baseline::{Baseline, Store},
    client,
    load::{Load, NextRequest, Timing},
    machine::ServerProcesses,
    movies,
    report::{self, Budgets, Report},
    rounds::{Plan, compare},
    steps::Steps,
    table::Budget,
};

const BROKER_WARM_UP: Duration = Duration::from_secs(20);

/// Stands in the title, in ten digits.
const NUMBER: &str = "0000000000";

pub async fn run(
    marquee: &Marquee,
    client_counts: &[usize],
    plan: Plan,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    marquee.command_api.start_ready().await;
    let mysql_es = Baseline::start(Store::Plain).await?;
    let with_outbox = Baseline::start(Store::PolledOutbox).await?;
    let requests = Requests::default();
    let table =
        report::begin("POST /v1/movies: a command, acknowledged when it is durable", "command");
    let address = marquee.command_api.address().parse()?;
    let mut steps = Vec::new();
    if !plan.brief {
        warm_the_broker(&requests, [&marquee.command_api, &with_outbox.service]).await?;
    }
    for &clients in client_counts {
        let before = Steps::read(address).await?;
        let sides = [
            ("marquee", &marquee.command_api),
            ("mysql-es", &mysql_es.service),
            ("mysql-es + outbox", &with_outbox.service),
        ];
        let loads = sides.map(|(name, service)| {
            Ok((name, requests.load(service, clients)?.watching(servers.with(service))))
        });
        let loads = loads.into_iter().collect::<anyhow::Result<_>>()?;
        let comparison = compare("commands", format!("{clients} clients"), plan, loads).await?;
        report.comparison(&table, &comparison, budgets(clients))?;
        steps.push((clients, Steps::read(address).await?.since(&before)));
    }
    println!("\nWhere marquee's time goes, in milliseconds per transaction (from /metrics):\n");
    for (clients, steps) in steps {
        println!("- {clients} clients: {steps}");
    }
    marquee.command_api.kill();
    Ok(())
}

/// Until the broker's Java has compiled what it runs: before that, a command costs it three times as
/// much, and whoever publishes pays for it.
async fn warm_the_broker(requests: &Requests, services: [&Service; 2]) -> anyhow::Result<()> {
    for service in services {
        let load = requests.load(service, 64)?;
        let timing = Timing { warm_up: BROKER_WARM_UP, measured: Duration::from_secs(1) };
        tokio::task::spawn_blocking(move || load.run(timing)).await??;
    }
    Ok(())
}

/// Beside plain mysql-es.
fn budgets(clients: usize) -> Budgets {
    let half = Some(Budget::AtMost(0.5));
    match clients {
        1 => Budgets { per_second: Some(Budget::AtLeast(1.0)), p99: None },
        64 => Budgets { per_second: Some(Budget::AtLeast(4.0)), p99: half },
        256 => Budgets { per_second: Some(Budget::AtLeast(6.0)), p99: half },
        _ => Budgets::default(),
    }
}

/// Commands that create movies, no two with the same title.
#[derive(Default)]
pub struct Requests(Arc<AtomicU64>);

impl Requests {
    /// They differ in the number in the title, which is all that has to be written anew.
    pub fn load(&self, service: &Service, clients: usize) -> anyhow::Result<Load> {
        let address = service.address().parse()?;
        let movie = movies::plain(NUMBER).to_string();
        let token = jwt::with_scope("catalog:write");
        let template = client::post(address, "/v1/movies", &token, &movie);
        let at = template.windows(NUMBER.len()).position(|bytes| bytes == NUMBER.as_bytes());
        let at = at.context("the title has a number")?;
        let numbers = Arc::clone(&self.0);
        let next: NextRequest = Arc::new(move |_| {
            let mut request = template.clone();
            let number = format!("{:010}", numbers.fetch_add(1, Ordering::Relaxed));
            request[at..at + NUMBER.len()].copy_from_slice(number.as_bytes());
            request.into()
        });
        Ok(Load::new(address, next, 201, clients))
    }
}
