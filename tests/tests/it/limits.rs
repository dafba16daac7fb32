//! Rate limits of several processes under a crowd that asks for far more than it may, from one address that
//! it hides as well as it can.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use marquee_tests::{
    Api, Marquee, Setup, client::http, jwt, redis_server::RedisServer, samples, servers::binaries,
    service::Service, until, wait::in_time,
};
use tokio::time::sleep;

const CLIENTS: u32 = 64;
const PROCESSES: u32 = 4;
const QUOTA: usize = 240;
const WINDOW: Duration = Duration::from_secs(5);
/// What the documentation states: a twentieth of the quota.
const SLACK: usize = QUOTA / 20;
/// The largest that a lot can be.
const LOT: usize = SLACK / PROCESSES as usize;

/// Query APIs that share a quota in a Redis of their own.
struct Stand {
    processes: Vec<Service>,
    /// After the services: they are ended before what they use.
    redis: RedisServer,
    marquee: Marquee,
}

/// A request that was admitted.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    sent: Instant,
    answered: Instant,
}

struct Crowd {
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicU32>,
    admitted: Arc<Mutex<Vec<Admitted>>>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Stand {
    async fn start() -> Self {
        let folder = binaries().join("marquee-tests").join(format!("redis-{}", samples::tag()));
        let redis = RedisServer::start(&folder).await;
        let settings = [
            ("MARQUEE_RATE_LIMIT_VIEWER_READ_QUOTA", QUOTA.to_string()),
            ("MARQUEE_RATE_LIMIT_VIEWER_READ_WINDOW_SECONDS", WINDOW.as_secs().to_string()),
            ("MARQUEE_RATE_LIMIT_INSTANCES", PROCESSES.to_string()),
        ];
        let setup =
            Setup { redis: Some(redis.address()), settings: settings.to_vec(), ..Setup::default() };
        let marquee = Marquee::prepare(setup).await;
        let name = |number: u32| format!("query-api-{number}");
        let processes: Vec<Service> =
            (1..=PROCESSES).map(|number| marquee.query_api.twin(&name(number))).collect();
        join_all(processes.iter().map(Service::start_ready)).await;
        Self { processes, redis, marquee }
    }

    fn apis(&self) -> Vec<Api> {
        let api = |process: &Service| Api::new(http(), process.url(), None);
        self.processes.iter().map(api).collect()
    }

    /// How often each process has logged this message.
    fn logged(&self, message: &str) -> Vec<usize> {
        let message = format!("\"message\":\"{message}");
        self.processes.iter().map(|process| process.log().matches(&message).count()).collect()
    }

    async fn all_have_logged(&self, message: &str) {
        until(message, async || self.logged(message).iter().all(|times| *times > 0).then_some(()))
            .await;
    }

    /// What each process says in its metrics.
    async fn metrics(&self, name: &str) -> Vec<usize> {
        let value = async |api: Api| {
            let metrics = api.get("/metrics").send().await.expect(200).text();
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
            let value = line.and_then(|line| line.rsplit_once(' ')?.1.parse().ok());
            value.unwrap_or_else(|| panic!("{name} is not there"))
        };
        join_all(self.apis().into_iter().map(value)).await
    }

    /// Whether limits are shared.
    async fn shared(&self) -> Vec<usize> {
        self.metrics("marquee_rate_limit_shared").await
    }
}

impl Crowd {
    /// Every request of every client claims to come from somewhere else.
    fn start(apis: &[Api]) -> Self {
        let (stop, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let admitted = Arc::<Mutex<Vec<Admitted>>>::default();
        let client = |number: u32| {
            let apis = apis.to_vec();
            let (stop, refused) = (Arc::clone(&stop), Arc::clone(&refused));
            let admitted = Arc::clone(&admitted);
            tokio::spawn(async move {
                let mut processes = apis.iter().cycle().skip(number as usize);
                let mut forged = number << 16;
                while !stop.load(Ordering::Relaxed) {
                    forged += 1;
                    let api = processes.next().expect("they go round");
                    let sent = Instant::now();
                    let request = api.get("/v1/genres");
                    let request = request
                        .header("X-Forwarded-For", std::net::Ipv4Addr::from(forged).to_string())
                        .header("Forwarded", format!("for={}", std::net::Ipv4Addr::from(forged)));
                    match request.send().await.status {
                        200 => {
                            let one = Admitted { sent, answered: Instant::now() };
                            admitted.lock().expect("no client has panicked").push(one);
                        }
                        429 => {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        other => panic!("answered {other}"),
                    }
                }
            })
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { stop, refused, admitted, clients }
    }

    fn refused(&self) -> u32 {
        self.refused.load(Ordering::Relaxed)
    }

    async fn stop(self) -> Vec<Admitted> {
        self.stop.store(true, Ordering::Relaxed);
        for client in join_all(self.clients).await {
            client.expect("no client panics");
        }
        let mut admitted = self.admitted.lock().expect("no client has panicked").clone();
        admitted.sort_by_key(|admitted| admitted.sent);
        admitted
    }
}

/// The most that were admitted in any window. Only those count that were sent and answered within it: when exactly
/// the others were admitted, nobody outside knows.
fn most_in_a_window(admitted: &[Admitted]) -> usize {
    let from = |index: usize| {
        let end = admitted[index].sent + WINDOW;
        let within = admitted[index..].iter().take_while(|one| one.sent <= end);
        within.filter(|one| one.answered <= end).count()
    };
    (0..admitted.len()).map(from).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_admit_a_quota_in_any_window_and_not_less_whatever_64_clients_forge() {
    let stand = Stand::start().await;
    let apis = stand.apis();
    let begun = Instant::now();
    let crowd = Crowd::start(&apis);
    // By plan: two windows and what they slide over, and the quota is used up for the third time.
    sleep(2 * WINDOW + WINDOW / 2).await;
    assert!(crowd.refused() > 0, "the crowd asks for too little");
    let admitted = crowd.stop().await;
    let elapsed = begun.elapsed();

    // On a machine that is too busy, Redis may seem not to answer: then a lot is lost, and one request is admitted without.
    let failures: usize =
        stand.metrics("marquee_rate_limit_redis_failures_total").await.iter().sum();
    let most = most_in_a_window(&admitted);
    assert!(most <= QUOTA + SLACK + failures, "{most} in a window, {failures} failures");
    assert!(most + failures * LOT >= QUOTA, "{most} in a window, {failures} failures");
    let all = admitted.len();
    assert!(all + failures * LOT >= 2 * QUOTA, "{all} in {elapsed:?}, {failures} failures");

    // Each threshold is logged by one process once in a window, whatever was refused beyond it.
    for message in ["rate limit nearly reached", "rate limit exceeded"] {
        let times: usize = stand.logged(message).iter().sum();
        let windows = 1 + usize::try_from(elapsed.as_secs() / WINDOW.as_secs()).expect("few");
        assert!((2..=windows).contains(&times), "{message}: {times} times in {elapsed:?}");
    }
    assert_eq!(stand.shared().await, vec![1; PROCESSES as usize]);

    // A client that waits as long as it is told is let in.
    let api = &apis[0];
    let refused = in_time("the rest of the quota is used up", async {
        loop {
            let answer = api.get("/v1/genres").send().await;
            if answer.status == 429 {
                return answer;
            }
        }
    })
    .await;
    refused.problem(429, "quota_exceeded");
    let seconds = refused.header("retry-after").and_then(|text| text.parse().ok());
    let seconds: u64 = seconds.expect("a number of seconds");
    assert!((1..=WINDOW.as_secs() + 1).contains(&seconds), "{refused:?}");
    sleep(Duration::from_secs(seconds)).await;
    let _ = api.get("/v1/genres").send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_four_processes_admit_a_quota_in_shares_and_share_it_again_when_redis_is_back()
 {
    const AWAY: &str = "Redis is away: this process limits by itself, at its share";
    const BACK: &str = "rate limits are shared again";
    let mut stand = Stand::start().await;
    let crowd = Crowd::start(&stand.apis());
    until("the quota is used up", async || (crowd.refused() > 0).then_some(())).await;

    let killed = Instant::now();
    stand.redis.kill();
    stand.all_have_logged(AWAY).await;
    assert_eq!(stand.shared().await, vec![0; PROCESSES as usize]);
    // By plan: long enough for some of the shares to be given out.
    sleep(WINDOW / 2).await;
    stand.redis.start_again().await;
    stand.all_have_logged(BACK).await;
    let back = Instant::now();
    assert_eq!(stand.shared().await, vec![1; PROCESSES as usize]);
    sleep(WINDOW).await;
    let admitted = crowd.stop().await;

    // Every change is told once, however many requests met it. On a machine that is too busy, Redis may seem to be
    // away once more.
    assert_eq!(stand.logged(AWAY), stand.logged(BACK));
    assert!(stand.logged(AWAY).iter().all(|times| *times <= 2), "{:?}", stand.logged(AWAY));
    // What the shares add up to: at once as much as was not used before, then as it flows in.
    let away = (back - killed).as_secs_f64() / WINDOW.as_secs_f64();
    let quota = f64::from(u32::try_from(QUOTA).expect("some hundreds"));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
    let flowed_in = (quota * away).ceil() as usize;
    let meanwhile = |one: &&Admitted| one.sent >= killed && one.answered <= back;
    let alone = admitted.iter().filter(meanwhile).count();
    let most = most_in_a_window(&admitted);
    let figures = BTreeMap::from([("alone", alone), ("flowed in", flowed_in), ("most", most)]);
    assert!(alone > 0, "{figures:?}");
    // Redis has forgotten what it had counted; what was admitted meanwhile is charged to the new bucket.
    assert!(most <= 2 * QUOTA + flowed_in + SLACK, "{figures:?}");
    let after = admitted.iter().filter(|one| one.sent > back).count();
    assert!(after <= QUOTA + SLACK, "{after} {figures:?}");
    assert!(admitted.len() >= QUOTA, "{figures:?}");
    drop(stand.marquee);
}

#[tokio::test]
async fn an_admin_s_commands_are_limited_and_an_operator_gives_the_quota_back() {
    let settings = vec![("MARQUEE_RATE_LIMIT_ADMIN_MUTATION_QUOTA", "3".to_owned())];
    let marquee = Marquee::prepare(Setup { settings, ..Setup::default() }).await;
    tokio::join!(marquee.command_api.start_ready(), marquee.query_api.start_ready());
    let commands = marquee.commands();
    let command = async || {
        let movie = samples::movie(&samples::title("Limited"));
        commands.post("/v1/movies").json(&movie).send().await
    };
    for left in [2, 1, 0] {
        let created = command().await.expect(201);
        assert_eq!(created.header("ratelimit-policy"), Some("\"admin-mutation\";q=3;w=60"));
        let state = created.header("ratelimit").unwrap_or_default();
        assert!(state.starts_with(&format!("\"admin-mutation\";r={left};t=")), "{created:?}");
    }
    let refused = command().await;
    let problem = refused.problem(429, "quota_exceeded");
    assert_eq!(problem["violated-policies"][0], "admin-mutation");
    assert!(marquee.database.log().await.len() == 3, "what is refused is not done");

    let operator = marquee.queries().as_bearer(jwt::with_scope("ops:read"));
    let bucket = format!("/v1/rate-limits/ADMIN_MUTATION/{}", jwt::ADMIN);
    let used = operator.get(&bucket).send().await.expect(200).json();
    assert_eq!(
        (&used["hits"], &used["limit"], &used["remaining"], &used["window_seconds"]),
        (&3.into(), &3.into(), &0.into(), &60.into())
    );
    let _ = operator.delete(&bucket).send().await.expect(204);
    until("command-api has heard of it", async || {
        let answer = command().await;
        assert!([201, 429].contains(&answer.status), "{answer:?}");
        (answer.status == 201).then_some(())
    })
    .await;
}
