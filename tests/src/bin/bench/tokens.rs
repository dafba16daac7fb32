//! Stream tokens issued by query-api, each with its audit record acknowledged by Kafka before it is answered.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use marquee_tests::{Marquee, wait::until_within};

use super::{
    catalog::Created,
    client,
    load::Load,
    machine::ServerProcesses,
    report::{self, Budgets, Report},
    rounds::{Plan, compare},
    table::Budget,
};

const CONNECTIONS: u8 = 64;
/// Of tokens a second, each new.
const PER_SECOND: Budget = Budget::AtLeast(2_000.0);
/// For the projector to write the rows of all that were issued.
const PATIENCE: Duration = Duration::from_secs(120);

/// All services run, and viewers see the movies.
pub async fn run(
    marquee: &Marquee,
    movies: &[Created],
    plan: Plan,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    let address: SocketAddr = marquee.query_api.address().parse()?;
    ensure!(!movies.is_empty(), "the catalog has no movie");
    let paths: Arc<[String]> =
        movies.iter().map(|movie| format!("/v1/movies/{}/stream-tokens", movie.movie_id)).collect();
    let watched = servers.with(&marquee.query_api);
    let title = format!("Stream tokens, {CONNECTIONS} connections of as many viewers");
    let table = report::begin(&title, "token");

    let issued = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&issued);
    let everyone = Arc::clone(&paths);
    let next = move |connection: usize| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = &everyone[usize::try_from(number).unwrap_or(0) % everyone.len()];
        request(address, path, connection, &format!("viewer-{number}"))
    };
    let load = Load::new(address, Arc::new(next), 201, usize::from(CONNECTIONS));
    let setting = "a new one each".to_owned();
    let sides = vec![("marquee", load.watching(watched.clone()))];
    let new = compare("stream tokens", setting, plan, sides).await?;
    report.comparison(&table, &new, Budgets::default())?;

    let next = move |connection: usize| {
        request(
            address,
            &paths[connection % paths.len()],
            connection,
            &format!("again-{connection}"),
        )
    };
    let load = Load::new(address, Arc::new(next), 201, usize::from(CONNECTIONS));
    let sides = vec![("marquee", load.watching(watched))];
    let again = compare("stream tokens", "the current one".to_owned(), plan, sides).await?;
    report.comparison(&table, &again, Budgets::default())?;

    let per_second = new.ours().median(|round| round.per_second);
    println!("\nnew tokens/s: {}", Budget::judge(Some(PER_SECOND), per_second));
    // Every request was answered with a token.
    let given = issued.load(Ordering::Relaxed);
    let audited = "SELECT COUNT(*) FROM stream_token_audit WHERE NOT stateless";
    until_within(PATIENCE, "every token has its row in the audit", async || {
        (marquee.database.number(audited).await >= given).then_some(())
    })
    .await;
    let audit = marquee.projector.command(&["audit-tokens"]).output().await?;
    ensure!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    let verdict = String::from_utf8_lossy(&audit.stdout);
    let verdict = verdict.lines().last().context("the auditor says something")?;
    println!("{given} new tokens were given out; projector audit-tokens: {verdict}");
    Ok(())
}

fn request(address: SocketAddr, path: &str, connection: usize, session: &str) -> Arc<[u8]> {
    let viewer = Ipv4Addr::new(10, 0, 0, u8::try_from(connection).unwrap_or(u8::MAX));
    let body = format!("{{\"session_id\":\"{session}\"}}");
    client::post_for(address, path, viewer, &body).into()
}
