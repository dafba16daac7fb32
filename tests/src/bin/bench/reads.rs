//! Catalog reads of query-api beside nginx serving the same bytes as a static file, and beside the same documents
//! asked of MySQL each time. At the end, what the services hold in memory.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, ensure};
use marquee_tests::Marquee;

use super::{
    catalog::fetch,
    client,
    cpu::peak_memory_mib,
    load::Load,
    machine::ServerProcesses,
    mysql_reads::FromMysql,
    report::{self, Budgets, Report},
    rounds::{Plan, compare},
    table::Budget,
};

const CONNECTIONS: u8 = 64;
/// To the side that asks MySQL, which a list keeps busy for a quarter of a second: with more, none would be answered
/// within a short round.
const CONNECTIONS_FROM_MYSQL: u8 = 8;
const PAGE: &str = "/v1/movies?limit=20";
/// The least that the budget is about.
const AT_LEAST_AS_FAST: Budgets = Budgets { per_second: Some(Budget::AtLeast(1.0)), p99: None };

/// Each service's, in MiB.
const MEMORY: Budget = Budget::AtMost(100.0);

/// At half load.
const P99_MS: Budget = Budget::AtMost(2.0);

/// The edge's listener for static files, and the folder that it serves as `/static/`.
pub struct StaticFiles {
    pub address: SocketAddr,
    pub folder: PathBuf,
}

/// Of a catalog that query-api has in memory, with the movie of this slug.
pub async fn run(
    marquee: &Marquee,
    files: &StaticFiles,
    slug: &str,
    plan: Plan,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    let address: SocketAddr = marquee.query_api.address().parse()?;
    let from_mysql = FromMysql::start(marquee).await?;
    let detail = format!("/v1/movies/{slug}");
    let table = report::begin(
        &format!("GET from the catalog, {CONNECTIONS} connections of as many viewers"),
        "read",
    );
    let mut half_load = Vec::new();
    for (name, path) in [("list of 20", PAGE), ("detail", &detail)] {
        let body = fetch(address, path).await?;
        let copy = StaticCopy::create(files, &marquee.prefix, &body)?;
        ensure!(fetch(files.address, &copy.path).await? == body, "nginx serves other bytes");
        let setting = format!("{name}, {} B", body.len());
        let ours = get(address, path, CONNECTIONS).watching(servers.with(&marquee.query_api));
        let theirs = get(files.address, &copy.path, CONNECTIONS);
        let asked = get(from_mysql.address()?, path, CONNECTIONS_FROM_MYSQL)
            .watching(servers.with(&from_mysql.service));
        let sides =
            vec![("marquee", ours.clone()), ("nginx", theirs.clone()), ("from MySQL", asked)];
        let full = compare("reads", setting, plan, sides).await?;
        report.comparison(&table, &full, AT_LEAST_AS_FAST)?;
        let half = full.ours().median(|round| round.per_second) / 2.0;
        let sides = vec![("marquee", ours.paced(half)), ("nginx", theirs.paced(half))];
        let half = compare("reads at half load", "at half load".to_owned(), plan, sides).await?;
        report.comparison(&table, &half, Budgets::default())?;
        let p99 = half.ours().median(|round| round.p99_ms);
        half_load.push(format!("{name} {} ms", Budget::judge(Some(P99_MS), p99)));
    }
    println!("\np99 at half load: {}", half_load.join(", "));
    let memory = [("query-api", &marquee.query_api), ("projector", &marquee.projector)]
        .map(|(name, service)| (name, peak_memory_mib(service.pid()).unwrap_or(f64::NAN)))
        .map(|(name, mib)| format!("{name} {} MiB", Budget::judge(Some(MEMORY), mib)));
    println!("Peak memory since the start: {}", memory.join(", "));
    Ok(())
}

/// Every connection is another viewer's, with a rate limit of its own.
fn get(address: SocketAddr, path: &str, connections: u8) -> Load {
    let viewer = |client| client::get_for(address, path, Ipv4Addr::new(10, 0, 0, client)).into();
    let requests: Vec<Arc<[u8]>> = (0..connections).map(viewer).collect();
    let next = move |client: usize| Arc::clone(&requests[client]);
    Load::new(address, Arc::new(next), 200, usize::from(connections))
}

/// A file that nginx serves, as long as this lives.
struct StaticCopy {
    path: String,
    file: PathBuf,
}

impl StaticCopy {
    fn create(files: &StaticFiles, prefix: &str, body: &[u8]) -> anyhow::Result<Self> {
        let name = format!("{prefix}{}.json", body.len());
        let file = files.folder.join(&name);
        fs::write(&file, body).with_context(|| file.display().to_string())?;
        Ok(Self { path: format!("/static/{name}"), file })
    }
}

impl Drop for StaticCopy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}
