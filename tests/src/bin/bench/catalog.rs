//! A catalog that viewers see.

use std::{net::SocketAddr, time::Duration};

use anyhow::ensure;
use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use marquee_infra::clock;
use marquee_tests::{Marquee, jwt, until, wait::until_within};
use serde::Deserialize;

use super::{
    client::{self, Connection},
    movies,
    projection::fill_topic,
    seed::{Layout, Log},
};

/// How many movies are created at once; each has its stream and captions probed.
const CREATED_AT_ONCE: usize = 8;
/// Movies begin after they have all been created, and soon.
const BEGINS_AFTER: TimeDelta = TimeDelta::seconds(20);

/// For tens of thousands of movies, on a busy machine.
const PROJECTED_WITHIN: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
pub struct Created {
    pub movie_id: String,
    pub slug: String,
}

/// Creates movies that viewers can see, starts all services, and waits until the last of them is seen.
pub async fn fill(marquee: &Marquee, movie_count: usize) -> anyhow::Result<Vec<Created>> {
    marquee.command_api.start_ready().await;
    let address: SocketAddr = marquee.command_api.address().parse()?;
    let token = jwt::with_scope("catalog:write");
    let start = clock::now() + BEGINS_AFTER;
    let created: Vec<Created> = stream::iter(0..movie_count)
        .map(|number| {
            let movie = movies::playable(&number.to_string(), start).to_string();
            let request = client::post(address, "/v1/movies", &token, &movie);
            async move {
                let mut connection = Connection::open(address).await?;
                let answer = connection.exchange(&request).await?;
                let body = String::from_utf8_lossy(answer.body);
                ensure!(answer.status == 201, "a movie was refused: {body}");
                Ok::<Created, anyhow::Error>(serde_json::from_str(&body)?)
            }
        })
        .buffer_unordered(CREATED_AT_ONCE)
        .try_collect()
        .await?;
    tokio::join!(marquee.projector.start_ready(), marquee.query_api.start_ready());
    let address: SocketAddr = marquee.query_api.address().parse()?;
    for movie in &created {
        let path = format!("/v1/movies/{}", movie.slug);
        until("viewers see every movie", async || fetch(address, &path).await.ok()).await;
    }
    Ok(created)
}

/// A catalog of so many movies, quickly: one is created, and the event log extended with copies of it. Answers their
/// slugs' common beginning. The projector and query-api run then, command-api does not.
pub async fn fill_with_copies(marquee: &Marquee, movie_count: u64) -> anyhow::Result<String> {
    let movie = movies::playable("0", clock::now() + BEGINS_AFTER);
    let mut log = Log::of(marquee, Layout::Together, &movie, &[]).await?;
    log.extend_to_movies(movie_count).await?;
    fill_topic(&marquee.command_api, log.events).await?;
    tokio::join!(marquee.projector.start_ready(), marquee.query_api.start_ready());
    let database = &marquee.database;
    let projected = async || {
        let applied = "SELECT COALESCE(SUM(version), 0) FROM catalog_movies";
        (database.number(applied).await >= log.events).then_some(())
    };
    until_within(PROJECTED_WITHIN, "all events are projected", projected).await;
    let address: SocketAddr = marquee.query_api.address().parse()?;
    let all = format!("\"total\":{movie_count}");
    until_within(PROJECTED_WITHIN, "viewers see every movie", async || {
        let page = fetch(address, "/v1/movies?limit=1").await.ok()?;
        String::from_utf8_lossy(&page).contains(&all).then_some(())
    })
    .await;
    let slug: String = sqlx::query_scalar(
        "SELECT CONVERT(slug USING utf8mb4) FROM catalog_movies ORDER BY position LIMIT 1",
    )
    .fetch_one(&database.pool())
    .await?;
    Ok(slug)
}

pub async fn fetch(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.exchange(&client::get(address, path)).await?;
    ensure!(answer.status == 200, "{path} answered {}", answer.status);
    Ok(answer.body.to_vec())
}
