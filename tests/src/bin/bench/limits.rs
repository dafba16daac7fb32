//! What a rate limit costs: catalog reads of a query-api that limits beside one that does not.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context;
use marquee_tests::Marquee;

use super::{
    catalog::Created,
    client,
    load::Load,
    machine::ServerProcesses,
    report::{self, Budgets, Report},
    rounds::{Plan, compare},
    table::Budget,
};

const CONNECTIONS: usize = 64;
/// At most 15 % of a read's cost: what takes 1.15 times as long is done 0.87 times as often.
const COST: Budgets = Budgets { per_second: Some(Budget::AtLeast(0.87)), p99: None };

/// All services run, and viewers see the movies.
pub async fn run(
    marquee: &Marquee,
    movies: &[Created],
    plan: Plan,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    let unlimited = marquee.query_api.twin("query-api-unlimited");
    unlimited.set("MARQUEE_RATE_LIMIT_ENABLED", "false");
    unlimited.start_ready().await;
    let movie = movies.first().context("the catalog has no movie")?;
    let detail = format!("/v1/movies/{}", movie.slug);
    let table = report::begin(
        &format!("GET of one movie with and without rate limits, {CONNECTIONS} connections"),
        "read",
    );
    // Few, each of whom is counted many times a second; and so many that none is.
    for viewers in [64, 10_000] {
        let load = |service| -> anyhow::Result<Load> {
            Ok(get(service_address(service)?, &detail, viewers).watching(servers.with(service)))
        };
        let sides =
            vec![("limited", load(&marquee.query_api)?), ("not limited", load(&unlimited)?)];
        let compared = compare("limits", format!("{viewers} viewers"), plan, sides).await?;
        report.comparison(&table, &compared, COST)?;
    }
    Ok(())
}

fn service_address(service: &marquee_tests::service::Service) -> anyhow::Result<SocketAddr> {
    Ok(service.address().parse()?)
}

/// Every request is the next viewer's.
fn get(address: SocketAddr, path: &str, viewers: u16) -> Load {
    let viewer = |number: u16| {
        let [high, low] = number.to_be_bytes();
        client::get_for(address, path, Ipv4Addr::new(10, 1, high, low)).into()
    };
    let requests: Vec<Arc<[u8]>> = (0..viewers).map(viewer).collect();
    let turn = AtomicUsize::new(0);
    let next = move |_: usize| {
        Arc::clone(&requests[turn.fetch_add(1, Ordering::Relaxed) % requests.len()])
    };
    Load::new(address, Arc::new(next), 200, CONNECTIONS)
}
