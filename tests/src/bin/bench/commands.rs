//! `POST /v1/movies`: command-api beside plain cqrs-es and mysql-es, on the same MySQL.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use marquee_tests::{Marquee, jwt, service::Service};

use super::{
    baseline::Baseline,
    client,
    load::{Load, NextRequest},
    movies,
    report::{self, Report},
    rounds::{Plan, compare},
    steps::Steps,
};

/// Stands in the title, in ten digits.
const NUMBER: &str = "0000000000";

pub async fn run(
    marquee: &Marquee,
    client_counts: &[usize],
    plan: Plan,
    report: &mut Report,
) -> anyhow::Result<()> {
    marquee.command_api.start_ready().await;
    let baseline = Baseline::start().await?;
    let numbers = Arc::new(AtomicU64::new(0));
    report::section("POST /v1/movies: a command, acknowledged when it is durable");
    let address = marquee.command_api.address().parse()?;
    for &clients in client_counts {
        let before = Steps::read(address).await?;
        let comparison = compare(
            "commands",
            format!("{clients} clients"),
            plan,
            ("marquee", load(&marquee.command_api, clients, &numbers)?),
            ("mysql-es", load(&baseline.service, clients, &numbers)?),
        )
        .await?;
        report.comparison(&comparison)?;
        println!("{:24}marquee: {}", "", Steps::read(address).await?.since(&before));
    }
    marquee.command_api.kill();
    baseline.remove().await
}

/// The requests differ in the number in the title, which is all that has to be written anew.
fn load(service: &Service, clients: usize, numbers: &Arc<AtomicU64>) -> anyhow::Result<Load> {
    let address = service.address().parse()?;
    let movie = movies::plain(NUMBER).to_string();
    let template = client::post(address, "/v1/movies", &jwt::with_scope("catalog:write"), &movie);
    let at = template.windows(NUMBER.len()).position(|bytes| bytes == NUMBER.as_bytes());
    let at = at.context("the title has a number")?;
    let numbers = Arc::clone(numbers);
    let next: NextRequest = Arc::new(move |_| {
        let mut request = template.clone();
        let number = format!("{:010}", numbers.fetch_add(1, Ordering::Relaxed));
        request[at..at + NUMBER.len()].copy_from_slice(number.as_bytes());
        request.into()
    });
    Ok(Load::new(address, next, 201, clients).watching(service.pid()))
}
