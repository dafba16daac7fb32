//! VIEWER_READ limits, in front of the routes.

use std::num::NonZeroU32;

use futures::future::join_all;
use marquee_infra::clock;
use secrecy::SecretString;

use crate::{
    bed::{Bed, until, variable},
    client::bearer,
};

const GENRES: &str = "/v1/genres";

fn limit(bed: &mut Bed, quota: u32, window_seconds: u32, lot: u32) {
    let limits = &mut bed.settings.rate_limit;
    limits.viewer_read_quota = NonZeroU32::new(quota).unwrap();
    limits.viewer_read_window_seconds = window_seconds;
    limits.lot = NonZeroU32::new(lot).unwrap();
}

fn user(n: u32) -> String {
    bearer(&format!("0197d2a5-0000-7000-8000-{n:012}"), "")
}

/// `name;key=NUMBER` of a header.
fn parameter(header: &str, key: &str) -> u64 {
    header
        .split(';')
        .find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no {key} in {header:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_told_counted_down_and_kept() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 20, 60, 7);
    let api = bed.start().await;
    for used in 1..=20 {
        let answer = api.client.get(GENRES).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"viewer-read\";q=20;w=60");
        let state = answer.header("ratelimit");
        assert!(state.starts_with("\"viewer-read\";"), "{state}");
        assert_eq!(parameter(state, "r"), 20 - used);
        assert!((1..=60).contains(&parameter(state, "t")), "{state}");
    }
    let refused = api.client.get("/v1/movies/x").await;
    refused.is_problem(429, "quota_exceeded");
    assert_eq!(parameter(refused.header("ratelimit"), "r"), 0);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=64).contains(&wait), "{wait}");
    assert_eq!(refused.json["violated-policies"][0], "viewer-read");

    // Another user has a quota of his own; a token that is refused spends its sender's.
    let headers = [("Authorization", user(1))].map(|(name, value)| (name, value));
    let authorization = [(headers[0].0, headers[0].1.as_str())];
    let answer = api.client.get_with(GENRES, &authorization).await;
    assert_eq!((answer.status, parameter(answer.header("ratelimit"), "r")), (200, 19));
    let forged = api.client.get_with(GENRES, &[("Authorization", "Bearer x.y.z")]).await;
    forged.is_problem(429, "quota_exceeded");

    // What is not for viewers is not limited.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(api.client.get(path).await.status, 200);
    }
    let verify = api.client.get("/v1/stream-tokens/verify").await;
    verify.is_problem(403, "token_refused");
    assert_eq!(verify.header("ratelimit-policy"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_shared_by_processes_and_a_burst_admits_no_more_than_it() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 50, 600, 4);
    let (one, other) = (bed.start().await, bed.start().await);
    let authorization = user(2);
    let answers =
        join_all(
            (0..200).map(|n| {
                let api = if n % 2 == 0 { &one } else { &other };
                let authorization = authorization.clone();
                async move {
                    api.client.get_with(GENRES, &[("Authorization", &authorization)]).await.status
                }
            }),
        )
        .await;
    let admitted = answers.iter().filter(|status| **status == 200).count();
    assert!(answers.iter().all(|status| [200, 429].contains(status)));
    // At most the quota; at least what is left when each process keeps a lot but for one hit.
    assert!((50 - 2 * 3..=50).contains(&admitted), "{admitted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_true() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 3, 2, 1);
    let api = bed.start().await;
    let authorization = user(3);
    let headers = [("Authorization", authorization.as_str())];
    for _ in 0..3 {
        let mut refused = None;
        until("it is refused", async || {
            let answer = api.client.get_with(GENRES, &headers).await;
            refused = (answer.status == 429).then_some(answer);
            refused.is_some()
        })
        .await;
        let wait: i64 = refused.unwrap().header("retry-after").parse().unwrap();
        let again = clock::now() + chrono::TimeDelta::seconds(wait);
        until("Retry-After is over", async || clock::now() >= again).await;
        assert_eq!(api.client.get_with(GENRES, &headers).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_forwarded_address_gains_nothing_and_a_trusted_proxy_s_counts() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 5, 600, 1);
    let untrusting = bed.start().await;
    for n in 0..6 {
        let answer =
            untrusting.client.get_with(GENRES, &[("X-Forwarded-For", &format!("1.1.1.{n}"))]).await;
        assert_eq!(answer.status, if n < 5 { 200 } else { 429 });
    }
    bed.settings.rate_limit.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let trusting = bed.start().await;
    let through = async |forwarded: &str| {
        trusting.client.get_with(GENRES, &[("X-Forwarded-For", forwarded)]).await.status
    };
    for n in 0..6 {
        // The client writes what it likes; the proxy adds whom it saw.
        let expected = if n < 5 { 200 } else { 429 };
        assert_eq!(through(&format!("1.1.1.{n}, 203.0.113.7")).await, expected);
    }
    assert_eq!(through("203.0.113.8").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_process_admits_its_share() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 40, 600, 5);
    bed.settings.rate_limit.instances = NonZeroU32::new(4).unwrap();
    assert!(variable("REDIS_URL").starts_with("redis://"));
    bed.settings.redis.url = SecretString::from("redis://127.0.0.1:1/0");
    let api = bed.start_unready();
    let mut admitted = 0;
    until("it is refused", async || {
        // The catalog's position is asked for on the way: 503 and 200 are both admitted.
        let status = api.client.get(GENRES).await.status;
        admitted += u32::from(status != 429);
        status == 429
    })
    .await;
    assert_eq!(admitted, 10);
}
