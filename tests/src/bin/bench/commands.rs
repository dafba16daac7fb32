//! `POST /v1/movies`: command-api beside plain cqrs-es and mysql-es, on the same MySQL.

use std::sync::Arc;

use marquee_tests::{Marquee, jwt, service::Service};

use super::{
    baseline::Baseline,
    client,
    load::{Load, NextRequest},
    movies::{self, Numbers},
    report::{self, Report},
    rounds::{Plan, compare},
};

pub async fn run(
    marquee: &Marquee,
    client_counts: &[usize],
    plan: Plan,
    report: &mut Report,
) -> anyhow::Result<()> {
    marquee.command_api.start_ready().await;
    let baseline = Baseline::start().await?;
    let numbers = Numbers::default();
    report::section("POST /v1/movies: a command, acknowledged when it is durable");
    for &clients in client_counts {
        let comparison = compare(
            "commands",
            format!("{clients} clients"),
            plan,
            ("marquee", load(&marquee.command_api, clients, &numbers)?),
            ("mysql-es", load(&baseline.service, clients, &numbers)?),
        )
        .await?;
        report.comparison(&comparison)?;
    }
    marquee.command_api.kill();
    baseline.remove().await
}

fn load(service: &Service, clients: usize, numbers: &Numbers) -> anyhow::Result<Load> {
    let address = service.address().parse()?;
    let token = jwt::with_scope("catalog:write");
    let numbers = numbers.clone();
    let next: NextRequest = Arc::new(move || {
        let movie = movies::plain(numbers.next()).to_string();
        client::post(address, "/v1/movies", &token, &movie).into()
    });
    Ok(Load::new(address, next, 201, clients).watching(service.pid()))
}
