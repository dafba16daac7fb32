//! Playing through the edge, as players do: what it costs, what is refused and when, a whole film, a browser.

mod cost;
mod film;
mod page;
mod production;
mod refusals;
mod tricks;

use std::time::Duration;

use marquee_tests::{
    Marquee, Setup,
    admin::Movie,
    player::{Ticket, Viewer},
    until,
};

/// How long the edge keeps the tag that decides whether what it knows of tokens is still so (`infra/edge/http.conf`).
const VALIDITY_LIFE: Duration = Duration::from_millis(500);

/// With an edge of its own, and tokens that live as long.
async fn with_ttl(seconds: u32) -> Marquee {
    let settings = vec![("MARQUEE_STREAM_TOKEN_TTL_SECONDS", seconds.to_string())];
    Marquee::start_with(Setup { edge: true, settings, ..Setup::default() }).await
}

/// Somebody who may watch the movie by now, with a token.
async fn viewer_of(marquee: &Marquee, movie: &Movie) -> (Viewer, Ticket) {
    let queries = marquee.queries();
    until(&format!("{} can be watched", movie.title), async || {
        let answer = queries.get(&format!("/v1/movies/{}", movie.id)).send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    let viewer = Viewer::new(queries, &movie.id);
    let ticket = viewer.ticket().await;
    (viewer, ticket)
}

/// How often query-api was asked something, over all answers.
async fn calls(marquee: &Marquee, route: &str) -> u64 {
    let metrics = marquee.queries().get("/metrics").send().await.expect(200).text();
    let of_route = format!("route=\"{route}\"");
    metrics
        .lines()
        .filter(|line| line.starts_with("http_server_request_duration_seconds_count{"))
        .filter(|line| line.contains(&of_route))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

const VERIFY: &str = "/v1/stream-tokens/verify";
const VALIDITY: &str = "/v1/stream-tokens/validity";
