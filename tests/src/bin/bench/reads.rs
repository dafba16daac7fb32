//! Catalog reads of query-api beside nginx serving the same bytes as a static file.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use marquee_infra::clock;
use marquee_tests::{Marquee, jwt, until};
use serde_json::Value;

use super::{
    client::{self, Connection},
    load::Load,
    movies,
    report::{self, Report},
    rounds::{Plan, compare},
};

const CONNECTIONS: u8 = 64;
const PAGE: &str = "/v1/movies?limit=20";
const PAGE_MOVIES: usize = 20;
/// How many movies are created at once; each has its stream and captions probed.
const CREATED_AT_ONCE: usize = 8;
/// Movies begin after they have all been created, and soon.
const BEGINS_AFTER: TimeDelta = TimeDelta::seconds(20);

/// The edge's listener for static files, and the folder that it serves as `/static/`.
pub struct StaticFiles {
    pub address: SocketAddr,
    pub folder: PathBuf,
}

pub async fn run(
    marquee: &Marquee,
    files: &StaticFiles,
    movie_count: usize,
    plan: Plan,
    report: &mut Report,
) -> anyhow::Result<()> {
    let slug = fill_catalog(marquee, movie_count).await?;
    tokio::join!(marquee.projector.start_ready(), marquee.query_api.start_ready());
    let address: SocketAddr = marquee.query_api.address().parse()?;
    let detail = format!("/v1/movies/{slug}");
    until("the catalog has a page of movies", async || {
        let page = fetch(address, PAGE).await.ok()?;
        let page: Value = serde_json::from_slice(&page).ok()?;
        let is_full = page["items"].as_array()?.len() == PAGE_MOVIES;
        (is_full && fetch(address, &detail).await.is_ok()).then_some(())
    })
    .await;

    report::section("GET from the catalog: 64 connections of as many viewers, as fast as they can");
    for (name, path) in [("list of 20", PAGE), ("detail", &detail)] {
        let body = fetch(address, path).await?;
        let copy = StaticCopy::create(files, &marquee.prefix, &body)?;
        ensure!(fetch(files.address, &copy.path).await? == body, "nginx serves other bytes");
        let setting = format!("{name}, {} B", body.len());
        let ours = get(address, path).watching(marquee.query_api.pid());
        let theirs = get(files.address, &copy.path);
        let full =
            compare("reads", setting, plan, ("marquee", ours.clone()), ("nginx", theirs.clone()))
                .await?;
        report.comparison(&full)?;
        let half = full.ours_per_second() / 2.0;
        let half = compare(
            "reads at half load",
            "  at half load".to_owned(),
            plan,
            ("marquee", ours.paced(half)),
            ("nginx", theirs.paced(half)),
        )
        .await?;
        report.comparison(&half)?;
    }
    Ok(())
}

/// Creates movies that viewers can see, and answers the slug of one of them.
async fn fill_catalog(marquee: &Marquee, movie_count: usize) -> anyhow::Result<String> {
    marquee.command_api.start_ready().await;
    let address: SocketAddr = marquee.command_api.address().parse()?;
    let token = jwt::with_scope("catalog:write");
    let start = clock::now() + BEGINS_AFTER;
    let slugs: Vec<String> = stream::iter(0..movie_count)
        .map(|number| {
            let movie = movies::playable(&number.to_string(), start).to_string();
            let request = client::post(address, "/v1/movies", &token, &movie);
            async move {
                let mut connection = Connection::open(address).await?;
                let answer = connection.exchange(&request).await?;
                let body: Value = serde_json::from_slice(answer.body)?;
                ensure!(answer.status == 201, "a movie was refused: {body}");
                body["slug"].as_str().map(str::to_owned).context("an answer without a slug")
            }
        })
        .buffer_unordered(CREATED_AT_ONCE)
        .try_collect()
        .await?;
    slugs.into_iter().next().context("no movie was created")
}

async fn fetch(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.exchange(&client::get(address, path)).await?;
    ensure!(answer.status == 200, "{path} answered {}", answer.status);
    Ok(answer.body.to_vec())
}

/// Every connection is another viewer's, with a rate limit of its own.
fn get(address: SocketAddr, path: &str) -> Load {
    let viewer = |client| client::get_for(address, path, Ipv4Addr::new(10, 0, 0, client)).into();
    let requests: Vec<Arc<[u8]>> = (0..CONNECTIONS).map(viewer).collect();
    let next = move |client: usize| Arc::clone(&requests[client]);
    Load::new(address, Arc::new(next), 200, usize::from(CONNECTIONS))
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
