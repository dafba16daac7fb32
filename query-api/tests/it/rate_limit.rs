//! VIEWER_READ limits, in front of the routes.

use std::{num::NonZeroU32, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use marquee_infra::{
    clock,
    rate_limit::{Caller, Quota, RateLimitSettings, RateLimiter, Scope, Verdict},
    redis,
};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;

use crate::{
    bed::{Bed, until, variable},
    client::{Answer, bearer},
};

const GENRES: &str = "/v1/genres";

fn limit(bed: &mut Bed, quota: u32, window_seconds: u32, instances: u32) {
    let limits = &mut bed.settings.rate_limit;
    limits.viewer_read_quota = NonZeroU32::new(quota).unwrap();
    limits.viewer_read_window_seconds = window_seconds;
    limits.instances = NonZeroU32::new(instances).unwrap();
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
    limit(&mut bed, 70, 60, 1);
    let api = bed.start().await;
    for used in 1..=70 {
        let answer = api.client.get(GENRES).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"viewer-read\";q=70;w=60");
        let state = answer.header("ratelimit");
        assert!(state.starts_with("\"viewer-read\";"), "{state}");
        // Exactly, although hits are taken from the bucket in lots.
        assert_eq!(parameter(state, "r"), 70 - used);
        assert!((1..=63).contains(&parameter(state, "t")), "{state}");
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
    assert_eq!((answer.status, parameter(answer.header("ratelimit"), "r")), (200, 69));
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
    limit(&mut bed, 50, 600, 2);
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
    // Near its end a quota is given out one by one: none of it is left with a process that hears of it no more.
    assert_eq!(admitted, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_remains_is_never_overstated_whichever_process_answers() {
    const QUOTA: usize = 1_000;
    let mut bed = Bed::new().await;
    limit(&mut bed, 1_000, 600, 3);
    let processes = [bed.start().await, bed.start().await, bed.start().await];
    let authorization = user(4);
    let headers = [("Authorization", authorization.as_str())];
    let (mut promised, mut refused_in_a_row) = (Vec::new(), 0);
    for api in processes.iter().cycle() {
        let answer = api.client.get_with(GENRES, &headers).await;
        if answer.status == 200 {
            promised.push(parameter(answer.header("ratelimit"), "r"));
            refused_in_a_row = 0;
        } else {
            assert_eq!(parameter(answer.header("ratelimit"), "r"), 0);
            refused_in_a_row += 1;
        }
        if refused_in_a_row == processes.len() {
            break;
        }
    }
    assert_eq!(promised.len(), QUOTA);
    for (before, remaining) in promised.into_iter().enumerate() {
        let admitted_after = u64::try_from(QUOTA - before - 1).unwrap();
        assert!(remaining <= admitted_after, "{remaining} promised, {admitted_after} admitted");
        // Nor is it made small: what the others may have spent is a twentieth of what is left.
        assert!(remaining * 10 >= admitted_after * 9, "{remaining} of {admitted_after}");
    }
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
        let refused = refused.unwrap();
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert_eq!(parameter(refused.header("ratelimit"), "t"), wait);
        let again = clock::now() + TimeDelta::seconds(wait.try_into().unwrap());
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
    limit(&mut bed, 40, 600, 4);
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
    let operator = bearer(OPERATOR, "ops:read");
    let answer = api.client.get_with(&bucket("127.0.0.1"), &[("Authorization", &operator)]).await;
    answer.is_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limiter_that_is_switched_off_neither_counts_nor_refuses() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 1, 600, 1);
    bed.settings.rate_limit.enabled = false;
    let api = bed.start().await;
    for _ in 0..3 {
        let answer = api.client.get(GENRES).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, ""));
    }
}

/// Who looks, as often as need be.
const OPERATOR: &str = "0197d2a5-0000-7000-8000-00000000000f";

fn bucket(key: &str) -> String {
    format!("/v1/rate-limits/VIEWER_READ/{key}")
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_a_bucket_and_open_it_again_for_all_processes() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 8, 600, 2);
    let (one, other) = (bed.start().await, bed.start().await);
    let operator = bearer(OPERATOR, "ops:read");
    let headers = [("Authorization", operator.as_str())];
    let unused = one.client.get_with(&bucket("127.0.0.1"), &headers).await;
    assert_eq!(
        unused.json,
        json!({
            "scope": "VIEWER_READ", "bucket_key": "ip:127.0.0.1", "hits": 0, "window_start": null,
            "limit": 8, "window_seconds": 600, "remaining": 8, "refills_at": null,
        })
    );

    let begun = clock::now();
    for used in 1..=8 {
        let api = if used % 2 == 0 { &one } else { &other };
        assert_eq!(api.client.get(GENRES).await.status, 200);
        let seen = one.client.get_with(&bucket("ip:127.0.0.1"), &headers).await.json;
        assert_eq!((&seen["hits"], &seen["remaining"]), (&json!(used), &json!(8 - used)));
        let instant = |name: &str| seen[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        // A slot is a twenty-fifth of the window.
        let slot = TimeDelta::seconds(24);
        assert!(instant("window_start") > begun - slot && instant("window_start") <= clock::now());
        assert_eq!(instant("refills_at") - instant("window_start"), TimeDelta::seconds(600) + slot);
    }
    // The reset is asked of one process; the other has just told its client that it refuses.
    for api in [&one, &other] {
        api.client.get(GENRES).await.is_problem(429, "quota_exceeded");
    }
    let reset = one.client.request(Method::DELETE, &bucket("127.0.0.1"));
    assert_eq!(Answer::of(reset.header("Authorization", &operator)).await.status, 204);
    assert_eq!(one.client.get(GENRES).await.status, 200);
    until("the other process has heard of it", async || {
        other.client.get(GENRES).await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_has_taken_and_not_spent_is_not_shown_as_used() {
    let mut bed = Bed::new().await;
    limit(&mut bed, 600, 60, 1);
    let api = bed.start().await;
    let operator = bearer(OPERATOR, "ops:read");
    let headers = [("Authorization", operator.as_str())];
    for used in 1..=30 {
        let answer = api.client.get(GENRES).await;
        let seen = api.client.get_with(&bucket("127.0.0.1"), &headers).await.json;
        assert_eq!((&seen["hits"], &seen["remaining"]), (&json!(used), &json!(600 - used)));
        assert_eq!(parameter(answer.header("ratelimit"), "r"), 600 - used);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_of_commands_are_seen_and_opened_as_well_and_bad_names_are_told_at_once() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let operator = bearer(OPERATOR, "ops:read");
    let headers = [("Authorization", operator.as_str())];
    let admin = format!("/v1/rate-limits/ADMIN_MUTATION/{OPERATOR}");
    let unused = api.client.get_with(&admin, &headers).await;
    assert_eq!((&unused.json["hits"], &unused.json["limit"]), (&json!(0), &json!(null)));

    let limiter = RateLimiter::new(
        Scope::AdminMutation,
        RateLimitSettings {
            enabled: true,
            quota: Quota { requests: number(10), window: Duration::from_secs(60) },
            instances: number(1),
        },
        redis::connect_lazy(&bed.settings.redis.url).unwrap(),
        &bed.settings.redis.key_prefix,
    );
    let admin_key = Caller::One(OPERATOR.parse().unwrap());
    let verdict = limiter.decide(admin_key).await.verdict;
    assert!(matches!(verdict, Verdict::Admitted { remaining: 9, .. }));
    let used = api.client.get_with(&admin, &headers).await;
    assert_eq!((&used.json["hits"], &used.json["limit"]), (&json!(1), &json!(10)));
    assert_eq!(used.json["bucket_key"], format!("user:{OPERATOR}"));
    let reset = api.client.request(Method::DELETE, &admin).header("Authorization", &operator);
    assert_eq!(Answer::of(reset).await.status, 204);
    assert_eq!(api.client.get_with(&admin, &headers).await.json["hits"], 0);

    let wrong = api.client.get_with("/v1/rate-limits/viewers/nobody?colour=red", &headers).await;
    assert_eq!(wrong.is_problem(400, "invalid_request").pointers(), ["colour"]);
    let wrong = api.client.get_with("/v1/rate-limits/viewers/nobody", &headers).await;
    assert_eq!(wrong.is_problem(400, "invalid_request").pointers(), ["scope", "bucket_key"]);
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}
