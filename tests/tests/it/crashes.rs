//! Many clients at once, and a command-api that is killed under them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::{StreamExt, stream};
use marquee_tests::{
    Api, Marquee, admin::acknowledged, checker::Acknowledged, evidence::assert_consistent, samples,
    until, wait::DEADLINE,
};

const CLIENTS: usize = 64;
const MOVIES: usize = 480;

/// One creation, under a key by which it may be repeated.
#[derive(Debug, Clone)]
struct Creation {
    /// Sent as Idempotency-Key and as X-Request-Id, which the log keeps.
    operation: String,
    body: serde_json::Value,
}

impl Creation {
    fn new(number: usize) -> Self {
        let title = samples::title(&format!("Crowd {number}"));
        Self { operation: format!("create-{}", samples::tag()), body: samples::movie(&title) }
    }

    /// The promise, if the answer is one; a refusal to work just now or a broken connection is none.
    async fn attempt(&self, commands: &Api) -> Option<Acknowledged> {
        let sent = commands
            .post("/v1/movies")
            .idempotency_key(&self.operation)
            .header("X-Request-Id", &self.operation)
            .json(&self.body)
            .try_send()
            .await;
        let answer = sent.ok()?;
        match answer.status {
            201 => Some(acknowledged(&self.operation, &answer)),
            503 => None,
            _ => panic!("{answer:?}"),
        }
    }
}

fn creations() -> Vec<Creation> {
    (0..MOVIES).map(Creation::new).collect()
}

#[tokio::test]
async fn every_movie_of_64_clients_is_in_the_log_once_on_kafka_once_and_readable() {
    let marquee = Marquee::start().await;
    let commands = marquee.commands();
    let answers: Vec<Option<Acknowledged>> = stream::iter(creations())
        .map(|creation| {
            let commands = commands.clone();
            async move { creation.attempt(&commands).await }
        })
        .buffer_unordered(CLIENTS)
        .collect()
        .await;
    let acknowledged: Vec<Acknowledged> = answers.into_iter().flatten().collect();
    assert_eq!(acknowledged.len(), MOVIES, "nothing was down");

    let evidence = assert_consistent(&marquee, acknowledged.clone()).await;
    assert_eq!(evidence.log.len(), MOVIES);
    assert_readable(&marquee, &acknowledged).await;
}

/// Each by its own request, as its admin would look at it: the movies are hidden.
async fn assert_readable(marquee: &Marquee, movies: &[Acknowledged]) {
    let queries = marquee.queries().as_bearer(marquee_tests::jwt::admin());
    stream::iter(movies)
        .for_each_concurrent(16, |movie| {
            let queries = queries.clone();
            async move {
                let path = format!("/v1/movies/{}?visibility=any", movie.movie_id);
                until(&path, async || {
                    let answer = queries.get(&path).send().await;
                    assert!([200, 404].contains(&answer.status), "{answer:?}");
                    (answer.status == 200).then_some(())
                })
                .await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_command_api_is_killed_under_64_clients() {
    let marquee = Arc::new(Marquee::start().await);
    let commands = marquee.commands();
    let done = Arc::new(AtomicUsize::new(0));

    // Every client repeats its request under the same key until it is acknowledged.
    let clients = tokio::spawn({
        let done = Arc::clone(&done);
        stream::iter(creations())
            .map(move |creation| {
                let (commands, done) = (commands.clone(), Arc::clone(&done));
                async move {
                    let told = until("the creation is acknowledged", async || {
                        creation.attempt(&commands).await
                    })
                    .await;
                    done.fetch_add(1, Ordering::SeqCst);
                    // Whoever is not sure asks once more: the answer must be the same.
                    let again = until("the repeat is acknowledged", async || {
                        creation.attempt(&commands).await
                    });
                    [told, again.await]
                }
            })
            .buffer_unordered(CLIENTS)
            .collect::<Vec<_>>()
    });
    for share in [4, 2] {
        until("a part of the movies is created", async || {
            (done.load(Ordering::SeqCst) >= MOVIES / share).then_some(())
        })
        .await;
        assert!(!clients.is_finished(), "the crash must come in the middle");
        marquee.command_api.crash_and_start().await;
    }
    let told = tokio::time::timeout(DEADLINE, clients).await.expect("all are served in the end");
    let acknowledged: Vec<Acknowledged> =
        told.expect("no client panics").into_iter().flatten().collect();

    let evidence = assert_consistent(&marquee, acknowledged.clone()).await;
    assert_eq!(evidence.log.len(), MOVIES, "one movie for each creation");
    assert_readable(&marquee, &acknowledged[..MOVIES / 10]).await;
}

#[tokio::test]
async fn kafka_gets_after_a_crash_what_it_had_not_exactly_once() {
    // Nobody publishes while the movies are made, so that Kafka has nothing of them at the crash.
    let marquee = Marquee::prepare(marquee_tests::Setup::default()).await;
    marquee.command_api.set("MARQUEE_RELAY_ENABLED", "false");
    marquee.command_api.start_ready().await;
    marquee.projector.start_ready().await;
    let commands = marquee.commands();
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        let creation = Creation::new(number);
        acknowledged.extend(creation.attempt(&commands).await);
    }
    assert_eq!(acknowledged.len(), 20);
    assert_eq!(marquee_tests::topic::records(&marquee.topics.movies).await.len(), 0);

    marquee.command_api.set("MARQUEE_RELAY_ENABLED", "true");
    marquee.command_api.crash_and_start().await;
    let evidence = assert_consistent(&marquee, acknowledged).await;
    assert_eq!(evidence.topic.len(), 20);
}
