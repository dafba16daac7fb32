//! A catalog that viewers see.

use std::net::SocketAddr;

use anyhow::ensure;
use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use marquee_infra::clock;
use marquee_tests::{Marquee, jwt, until};
use serde::Deserialize;

use super::{
    client::{self, Connection},
    movies,
};

/// How many movies are created at once; each has its stream and captions probed.
const CREATED_AT_ONCE: usize = 8;
/// Movies begin after they have all been created, and soon.
const BEGINS_AFTER: TimeDelta = TimeDelta::seconds(20);

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

pub async fn fetch(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.exchange(&client::get(address, path)).await?;
    ensure!(answer.status == 200, "{path} answered {}", answer.status);
    Ok(answer.body.to_vec())
}
