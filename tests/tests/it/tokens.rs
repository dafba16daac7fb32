//! Stream tokens: one for each viewer and movie, none without its audit record, and none for what is hidden.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use marquee_tests::{
    Api, Marquee, Setup,
    chaos_proxy::{ChaosProxy, Weather},
    client::http,
    detour, redis, samples,
    service::Service,
    summary, topic, until,
    wait::until_within,
};
use serde_json::{Value, json};

/// A viewer gives up after this, and asks again, or somebody else.
const PATIENCE: Duration = Duration::from_secs(10);

fn viewer_of(service: &Service) -> Api {
    Api::new(http(), service.url(), None)
}

/// A movie that every one of the processes shows.
async fn playable(marquee: &Marquee, processes: &[&Service]) -> String {
    let movie = marquee.admin().create_playable("Played").await;
    let path = format!("/v1/movies/{}", movie.id);
    for process in processes {
        let viewer = viewer_of(process);
        until("the movie is visible", async || {
            (viewer.get(&path).send().await.status == 200).then_some(())
        })
        .await;
    }
    format!("{path}/stream-tokens")
}

/// What the auditor says of the tokens that viewers have been given.
async fn audit(marquee: &Marquee, seen: &BTreeSet<String>) -> (Option<i32>, Value) {
    let file = std::env::temp_dir().join(format!("{}seen", marquee.prefix));
    let ids: Vec<&str> = seen.iter().map(String::as_str).collect();
    fs::write(&file, ids.join("\n")).expect("a temporary file can be written");
    let shown = file.to_str().expect("text");
    let arguments = ["audit-tokens", "--json", "--seen", shown];
    let output = marquee.projector.command(&arguments).output().await.expect("it runs");
    fs::remove_file(&file).expect("it is there");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// Waits until every record has come to its row, and has the auditor look.
async fn assert_audited(marquee: &Marquee, seen: &BTreeSet<String>) -> Value {
    let waiting = "SELECT COUNT(*) FROM stream_token_outbox";
    until("the outbox is published", async || {
        (marquee.database.number(waiting).await == 0).then_some(())
    })
    .await;
    until("every token has its row", async || {
        let (code, report) = audit(marquee, seen).await;
        assert_eq!(code, Some(0), "{report}");
        (report["seen_with_row"] == seen.len()).then_some(report)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_500_requests_to_four_processes_for_one_viewer_and_movie_all_get_one_token() {
    const REQUESTS: usize = 500;
    let marquee = Marquee::start_with(Setup { edge: true, ..Setup::default() }).await;
    let twins =
        ["query-api-2", "query-api-3", "query-api-4"].map(|log| marquee.query_api.twin(log));
    join_all(twins.iter().map(Service::start_ready)).await;
    let processes: Vec<&Service> = [&marquee.query_api].into_iter().chain(&twins).collect();
    let path = playable(&marquee, &processes).await;
    let viewers: Vec<Api> = processes.iter().map(|process| viewer_of(process)).collect();
    let session = json!({ "session_id": samples::tag() });
    let answers = join_all(
        (0..REQUESTS).map(|n| viewers[n % viewers.len()].post(&path).json(&session).send()),
    )
    .await;
    let urls: BTreeSet<String> =
        answers.into_iter().map(|answer| answer.expect(201).text_of("signed_url")).collect();
    assert_eq!(urls.len(), 1, "{urls:?}");
    let seen: BTreeSet<String> =
        [viewers[0].post(&path).json(&session).send().await.text_of("token_id")].into();
    assert_audited(&marquee, &seen).await;
    assert_eq!(marquee.database.number("SELECT COUNT(*) FROM stream_token_audit").await, 1);
}

/// Viewers who ask, each with a session of its own each time, until so many tokens were given out.
struct Crowd {
    given: Mutex<BTreeSet<String>>,
    refused: AtomicUsize,
    stop: AtomicBool,
}

impl Crowd {
    fn count(&self) -> usize {
        self.given.lock().expect("no viewer panicked").len()
    }

    async fn viewer(self: Arc<Self>, processes: Vec<Api>, path: String, number: usize) {
        let mut round = number;
        while !self.stop.load(Ordering::SeqCst) {
            round += 1;
            let process = &processes[round % processes.len()];
            let session = json!({ "session_id": format!("{number}-{round}") });
            let request = process.post(&path).json(&session).timeout(PATIENCE);
            // A process that was killed answers nobody.
            let Ok(answer) = request.try_send().await else { continue };
            if answer.status == 201 {
                let token_id = answer.text_of("token_id");
                assert!(self.given.lock().expect("no viewer panicked").insert(token_id));
            } else {
                answer.problem(503, "unavailable");
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                self.refused.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_10000_tokens_while_kafka_comes_and_goes_and_processes_are_killed_each_has_its_row() {
    const TOKENS: usize = 10_000;
    const VIEWERS: usize = 32;
    let kafka = detour::to_kafka().await;
    let marquee = Marquee::start_with(Setup { edge: true, ..Setup::default() }).await;
    // The query API alone is cut off.
    marquee.query_api.kill();
    marquee.query_api.set("KAFKA_BROKERS", &kafka.address());
    marquee.query_api.set("MARQUEE_LOG_FILTER", "warn,query_api=info");
    marquee.query_api.start_ready().await;
    let twin = marquee.query_api.twin("query-api-2");
    twin.start_ready().await;
    let processes = [&marquee.query_api, &twin];
    let path = playable(&marquee, &processes).await;
    let crowd = Arc::new(Crowd {
        given: Mutex::default(),
        refused: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let apis: Vec<Api> = processes.iter().map(|process| viewer_of(process)).collect();
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|n| tokio::spawn(Arc::clone(&crowd).viewer(apis.clone(), path.clone(), n * 1_000_000)))
        .collect();
    let more = async |share: usize| {
        let goal = crowd.count() + TOKENS * share / 100;
        until_within(Duration::from_secs(180), "viewers get tokens", async || {
            assert!(!viewers.iter().any(tokio::task::JoinHandle::is_finished), "a viewer panicked");
            (crowd.count() >= goal).then_some(())
        })
        .await;
    };
    let in_outbox = "SELECT COUNT(*) FROM stream_token_outbox";
    let mut most_in_outbox = 0;
    more(15).await;
    for weather in [Weather::Cut, Weather::Stalled] {
        kafka.set(weather);
        more(15).await;
        most_in_outbox = marquee.database.number(in_outbox).await.max(most_in_outbox);
        twin.kill();
        more(5).await;
        twin.start().await;
        more(5).await;
        kafka.set(Weather::Fair);
        // Amid the outbox's being published.
        marquee.query_api.kill();
        marquee.query_api.start().await;
        more(10).await;
    }
    more(15).await;
    until("there are enough", async || (crowd.count() >= TOKENS).then_some(())).await;
    crowd.stop.store(true, Ordering::SeqCst);
    for viewer in viewers {
        viewer.await.expect("no viewer panicked");
    }
    let given = crowd.given.lock().expect("no viewer panicked").clone();
    assert!(most_in_outbox > 0, "Kafka was away, so records were in the outbox");
    let report = assert_audited(&marquee, &given).await;
    let rows = marquee.database.number("SELECT COUNT(*) FROM stream_token_audit").await;
    summary::say(&format!(
        "stream tokens: {} given out while Kafka was cut off, hung and came back and processes were killed (up to \
         {most_in_outbox} records in the outbox, {} requests refused); the auditor finds a row for each of them \
         ({rows} rows, {} records)",
        given.len(),
        crowd.refused.load(Ordering::SeqCst),
        report["records"],
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_reserved_when_its_process_was_killed_is_audited_before_anyone_has_it() {
    const VIEWERS: usize = 16;
    let kafka = detour::to_kafka().await;
    let marquee = Marquee::start_with(Setup { edge: true, ..Setup::default() }).await;
    marquee.query_api.kill();
    marquee.query_api.set("KAFKA_BROKERS", &kafka.address());
    marquee.query_api.start_ready().await;
    let path = playable(&marquee, &[&marquee.query_api]).await;
    let queries = marquee.queries();
    // Kafka takes the records and says nothing: the tokens are reserved, and nobody has them.
    kafka.set(Weather::Stalled);
    let sessions: Vec<Value> =
        (0..VIEWERS).map(|n| json!({ "session_id": format!("tv-{n}") })).collect();
    let asking: Vec<_> = sessions
        .iter()
        .map(|session| tokio::spawn(queries.post(&path).json(session).try_send()))
        .collect();
    let reserved = async || {
        let entries = redis::dump(&marquee.prefix).await.expect("Redis can be read");
        entries.into_iter().filter(|entry| entry.contains("stream-token:")).collect::<Vec<_>>()
    };
    let reservations = until("all are reserved", async || {
        let reserved = reserved().await;
        (reserved.len() == VIEWERS).then_some(reserved)
    })
    .await;
    marquee.query_api.kill();
    let mut given = BTreeSet::new();
    for answer in join_all(asking).await {
        // Who was given a token nevertheless has one that is audited.
        if let Ok(answer) = answer.expect("no panic")
            && answer.status == 201
        {
            given.insert(answer.text_of("token_id"));
        }
    }
    assert!(given.len() < VIEWERS, "the process was killed in the middle of it");

    kafka.set(Weather::Fair);
    marquee.query_api.start_ready().await;
    let queries = marquee.queries();
    for session in &sessions {
        let answer = queries.post(&path).json(session).send().await.expect(201);
        let token_id = answer.text_of("token_id");
        assert!(
            reservations.iter().any(|entry| entry.contains(&token_id)),
            "{token_id} is the one"
        );
        given.insert(token_id);
    }
    assert_eq!(given.len(), VIEWERS);
    assert_audited(&marquee, &given).await;
}

#[tokio::test]
async fn a_live_token_is_refused_as_soon_as_its_movie_is_hidden_or_removed() {
    let marquee = Marquee::start_with(Setup { edge: true, ..Setup::default() }).await;
    let path = playable(&marquee, &[&marquee.query_api]).await;
    let (commands, queries) = (marquee.commands(), marquee.queries());
    let movie = path.trim_end_matches("/stream-tokens").to_owned();
    let issued = queries.post(&path).send().await.expect(201);
    let url = issued.text_of("signed_url");
    let master = url.strip_prefix(&marquee.media()).expect("it is on the edge").to_owned();
    let status = async || marquee.edge().status_of(&master).await;
    assert_eq!(status().await, 200);
    let rows = async |from: &str| {
        until("it is projected", async || {
            (marquee.database.number(&format!("SELECT COUNT(*) FROM {from}")).await == 1)
                .then_some(())
        })
        .await;
    };
    let token_id = issued.text_of("token_id");
    rows(&format!("stream_token_audit WHERE token_id = '{token_id}'")).await;

    let mut took = Vec::new();
    let visibility = format!("{movie}/visibility");
    for _ in 0..3 {
        let hide = commands.put(&visibility).json(&json!({ "visibility": "HIDDEN" }));
        let _ = hide.send().await.expect(200);
        let hidden = std::time::Instant::now();
        until("it is refused", async || (status().await == 403).then_some(())).await;
        took.push(hidden.elapsed());
        let show = commands.put(&visibility).json(&json!({ "visibility": "VISIBLE" }));
        let _ = show.send().await.expect(200);
        until("it is served again", async || (status().await == 200).then_some(())).await;
    }
    let _ = commands.delete(&movie).send().await.expect(204);
    let removed = std::time::Instant::now();
    until("it is refused for ever", async || (status().await == 403).then_some(())).await;
    took.push(removed.elapsed());
    // What viewers met is there to be looked into.
    let is_hidden = "reason = 'HIDDEN'";
    rows(&format!("stream_token_revocations WHERE token_id = '{token_id}' AND {is_hidden}")).await;
    queries.post(&path).send().await.problem(404, "movie_not_found");
    rows("stream_token_denials WHERE reason = 'REMOVED'").await;
    let millis: Vec<u128> = took.iter().map(Duration::as_millis).collect();
    summary::say(&format!(
        "a live token was refused at the edge {millis:?} ms after its movie was hidden or removed"
    ));
}

/// Who reads what viewers watched finds the outbox's records like any others, once in the table each.
#[tokio::test]
async fn a_token_of_an_outage_is_in_the_topic_once_kafka_is_back() {
    let marquee = Marquee::start_with(Setup { edge: true, ..Setup::default() }).await;
    let proxy = ChaosProxy::start("127.0.0.1:1", Weather::Cut).await;
    marquee.query_api.kill();
    marquee.query_api.set("KAFKA_BROKERS", &proxy.address());
    marquee.query_api.start_ready().await;
    let path = playable(&marquee, &[&marquee.query_api]).await;
    let queries = marquee.queries();
    let token_id = queries.post(&path).send().await.expect(201).text_of("token_id");
    let check = marquee.query_api.check("stream_token_outbox").await;
    assert!(check.is_some(), "an outbox is no reason to be red");
    assert!(topic::records(&marquee.topics.stream_tokens).await.is_empty());

    marquee.query_api.kill();
    marquee.query_api.set("KAFKA_BROKERS", &marquee_tests::servers::servers().kafka_brokers);
    marquee.query_api.start_ready().await;
    assert_audited(&marquee, &[token_id].into()).await;
}
