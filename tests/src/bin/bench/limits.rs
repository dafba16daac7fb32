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
use serde_json::json;

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
    let limited = marquee.query_api.address().parse()?;
    let not_limited = unlimited.address().parse()?;
    for (setting, callers) in [
        // Few, each of whom is counted many times a second; and so many that none is.
        ("64 viewers", addresses(64)),
        ("10,000 viewers", addresses(10_000)),
        ("64 sessions of one address", sessions(marquee, movie, 64).await),
    ] {
        let load =
            |address, service| get(address, &detail, &callers).watching(servers.with(service));
        let sides = vec![
            ("limited", load(limited, &marquee.query_api)),
            ("not limited", load(not_limited, &unlimited)),
        ];
        let compared = compare("limits", setting.to_owned(), plan, sides).await?;
        report.comparison(&table, &compared, COST)?;
    }
    Ok(())
}

/// The header lines by which viewers are told apart.
fn addresses(viewers: u16) -> Vec<String> {
    let address = |number: u16| {
        let [high, low] = number.to_be_bytes();
        format!("X-Forwarded-For: {}\r\n", Ipv4Addr::new(10, 1, high, low))
    };
    (0..viewers).map(address).collect()
}

async fn sessions(marquee: &Marquee, movie: &Created, viewers: u16) -> Vec<String> {
    let queries = marquee.queries().anonymous();
    let mut lines = Vec::new();
    for _ in 0..viewers {
        let start = json!({ "movie_id": movie.movie_id, "device_type": "TV" });
        let started = queries.post("/v1/viewing-sessions").json(&start).send().await.expect(201);
        lines.push(format!(
            "X-Forwarded-For: 10.2.0.1\r\nViewing-Session: {}\r\nAnonymous-Id: {}\r\n",
            started.text_of("session_id"),
            started.text_of("anonymous_id")
        ));
    }
    lines
}

/// Every request is the next caller's.
fn get(address: SocketAddr, path: &str, callers: &[String]) -> Load {
    let requests: Vec<Arc<[u8]>> =
        callers.iter().map(|lines| client::get_with(address, path, lines).into()).collect();
    let turn = AtomicUsize::new(0);
    let next = move |_: usize| {
        Arc::clone(&requests[turn.fetch_add(1, Ordering::Relaxed) % requests.len()])
    };
    Load::new(address, Arc::new(next), 200, CONNECTIONS)
}
