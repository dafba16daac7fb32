//! Charges of many buckets at once, on a real Redis.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    time::Duration,
};

use futures::future::join_all;
use marquee_infra::{
    clock,
    rate_limit::{BucketKey, Caller, Quota, RateLimitSettings, RateLimiter, Scope, Verdict},
    redis,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::timeout;

use crate::chaos_proxy::{ChaosProxy, Cut};

const DEADLINE: Duration = Duration::from_secs(20);
/// So few that lots are of one.
const QUOTA: u32 = 19;

#[expect(clippy::disallowed_methods, reason = "where tests learn of the servers")]
fn redis_url() -> String {
    std::env::var("REDIS_URL")
        .expect("REDIS_URL is set: eval \"$(infra/local/stack env --profile test)\"")
}

fn limiter(url: &str, prefix: &str) -> RateLimiter {
    let settings = RateLimitSettings {
        enabled: true,
        quota: Quota {
            requests: NonZeroU32::new(QUOTA).unwrap(),
            window: Duration::from_secs(600),
        },
        instances: NonZeroU32::MIN,
    };
    let redis = redis::connect_lazy(&url.to_owned().into()).unwrap();
    RateLimiter::new(Scope::ViewerRead, settings, redis, prefix)
}

fn client(number: u32) -> Caller {
    Caller::One(BucketKey::client(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))))
}

async fn remaining(limiter: &RateLimiter, number: u32) -> Option<u32> {
    match limiter.decide(client(number)).await.verdict {
        Verdict::Admitted { remaining, .. } => Some(remaining),
        Verdict::Refused { .. } => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_charges_many_buckets_each_what_was_asked_of_it() {
    const CLIENTS: u32 = 300;
    let prefix = format!("marquee-t-{}:", hex::encode(clock::random_bytes::<6>()));
    let url = redis_url();
    let earlier = limiter(&url, &prefix);
    let used = |number: u32| number % (QUOTA + 1);
    join_all((0..CLIENTS).map(async |number| {
        for _ in 0..used(number) {
            assert!(remaining(&earlier, number).await.is_some());
        }
    }))
    .await;

    let recorder = PrometheusBuilder::new().build_recorder();
    let limiter = metrics::with_local_recorder(&recorder, || limiter(&url, &prefix));
    let found = join_all((0..CLIENTS).map(|number| remaining(&limiter, number))).await;
    for (number, found) in (0..CLIENTS).zip(found) {
        assert_eq!(found, (QUOTA - used(number)).checked_sub(1), "client {number}");
    }
    let told = recorder.handle().render();
    let metric = |name: &str| -> u32 {
        let line = told.lines().find(|line| line.starts_with(&format!("{name}{{")));
        line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).expect(name)
    };
    assert_eq!(metric("marquee_rate_limit_charges_total"), CLIENTS);
    let calls = metric("marquee_rate_limit_redis_calls_total");
    assert!(calls < CLIENTS / 4, "{calls} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_hangs_all_who_wait_for_it_are_decided_here_soon() {
    let prefix = format!("marquee-t-{}:", hex::encode(clock::random_bytes::<6>()));
    let mut url: url::Url = redis_url().parse().unwrap();
    let server = url.socket_addrs(|| Some(6379)).unwrap()[0];
    let proxy = ChaosProxy::start(server).await;
    url.set_port(Some(proxy.address().port())).unwrap();
    let limiter = limiter(url.as_str(), &prefix);
    assert_eq!(remaining(&limiter, 0).await, Some(QUOTA - 1));
    proxy.cut_at(Cut::Hold(b"EVALSHA"));
    let waiting = join_all((1..=300).map(|number| remaining(&limiter, number)));
    let found = timeout(DEADLINE, waiting).await.expect("they are answered");
    // Each has the share of the one process: all of the quota, less this request.
    assert_eq!(found, vec![Some(QUOTA - 1); 300]);
}
