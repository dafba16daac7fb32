//! Servers that are away, or hang: clear answers, no hangs, and everything as before when they are back.

use marquee_infra::mysql::accounts::Account;
use marquee_tests::{
    Answer, Marquee, Setup,
    admin::acknowledged,
    chaos_proxy::{ChaosProxy, Weather},
    evidence::assert_consistent,
    samples,
    servers::servers,
    until,
    wait::in_time,
};
use serde_json::json;

/// A proxy before the server that `url` names.
async fn before(url: &str, weather: Weather) -> ChaosProxy {
    let url = url::Url::parse(url).expect("a server's URL");
    let port = url.port().expect("the test servers have ports of their own");
    ChaosProxy::start(&format!("127.0.0.1:{port}"), weather).await
}

async fn before_kafka(weather: Weather) -> ChaosProxy {
    ChaosProxy::start(&servers().kafka_brokers, weather).await
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    answer.problem(503, "unavailable");
    let seconds = answer.header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{answer:?}");
}

/// Commands while MySQL is cut off, or hangs, and when it is back.
async fn commands_without_mysql(weather: Weather) {
    let proxy = before(&servers().database_url, Weather::Fair).await;
    let setup = Setup { mysql: Some(proxy.address()), ..Setup::default() };
    let marquee = Marquee::prepare(setup).await;
    marquee.command_api.start_ready().await;
    let commands = marquee.commands();
    let movie = marquee.admin().create_hidden("Before").await;

    proxy.set(weather);
    let new = samples::movie(&samples::title("During"));
    let revision = json!({ "duration_minutes": 90 });
    let answers = in_time("commands without MySQL are answered", async {
        let create = commands.post("/v1/movies").json(&new).send();
        let revise = commands.patch(&format!("/v1/movies/{}", movie.id)).json(&revision).send();
        let ready = commands.get("/readyz").send();
        tokio::join!(create, revise, ready)
    })
    .await;
    for answer in [&answers.0, &answers.1] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let code = answer.whole_problem()["code"].clone();
        assert!(code == "unavailable" || code == "outcome_unknown", "{answer:?}");
    }
    assert_eq!(answers.2.status, 503);
    let _ = commands.get("/healthz").send().await.expect(200);

    proxy.set(Weather::Fair);
    let back = until("commands work again", async || {
        let answer = commands.post("/v1/movies").json(&samples::movie(&samples::title("After")));
        let answer = answer.send().await;
        assert!([201, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 201).then_some(answer)
    })
    .await;
    let log = marquee.database.log().await;
    assert!(log.iter().any(|row| row.position == back.number_of("position")), "{back:?}");
}

#[tokio::test]
async fn commands_are_answered_503_while_mysql_is_away_and_work_when_it_is_back() {
    commands_without_mysql(Weather::Cut).await;
}

#[tokio::test]
async fn commands_are_answered_503_while_mysql_hangs_and_work_when_it_is_back() {
    commands_without_mysql(Weather::Stalled).await;
}

#[tokio::test]
async fn viewers_read_on_while_mysql_is_away() {
    let proxy = before(&servers().database_url, Weather::Fair).await;
    let setup = Setup { mysql: Some(proxy.address()), ..Setup::default() };
    let marquee = Marquee::start_with(setup).await;
    let movie = marquee.admin().create_playable("Cached").await;
    let path = format!("/v1/movies/{}", movie.id);
    let queries = marquee.queries();
    until("the movie is visible", async || {
        (queries.get(&path).send().await.status == 200).then_some(())
    })
    .await;

    proxy.set(Weather::Cut);
    let _ = queries.get(&path).send().await.expect(200);
    let _ = queries.get("/v1/movies").send().await.expect(200);
}

#[tokio::test]
async fn viewers_are_answered_503_until_the_catalog_was_read_once() {
    let proxy = before(&servers().database_url, Weather::Cut).await;
    let setup = Setup { mysql: Some(proxy.address()), ..Setup::default() };
    let marquee = Marquee::prepare(setup).await;
    marquee.query_api.start().await;
    let queries = marquee.queries();
    for path in ["/v1/movies", "/v1/movies/some-slug", "/v1/genres"] {
        assert_unavailable(&queries.get(path).send().await);
    }
    assert_eq!(queries.get("/readyz").send().await.status, 503);

    proxy.set(Weather::Fair);
    marquee.query_api.wait_ready().await;
    let _ = queries.get("/v1/movies").send().await.expect(200);
}

#[tokio::test]
async fn commands_and_reads_are_served_while_redis_is_away() {
    for weather in [Weather::Cut, Weather::Stalled] {
        let proxy = before(&servers().redis_url, weather).await;
        let setup = Setup { redis: Some(proxy.address()), ..Setup::default() };
        let marquee = Marquee::prepare(setup).await;
        marquee.command_api.start().await;
        marquee.projector.start_ready().await;
        marquee.query_api.start().await;
        let (commands, queries) = (marquee.commands(), marquee.queries());
        let title = samples::title("Without Redis");
        let created = commands.post("/v1/movies").json(&samples::movie(&title)).send();
        let _ = created.await.expect(201);
        until("the catalog is served", async || {
            let answer = queries.get("/v1/movies").send().await;
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            (answer.status == 200).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn commands_are_accepted_while_kafka_is_away_and_published_exactly_once_when_it_is_back() {
    let proxy = before_kafka(Weather::Cut).await;
    let setup = Setup { kafka: Some(proxy.address()), ..Setup::default() };
    let marquee = Marquee::prepare(setup).await;
    marquee.command_api.start_ready().await;
    let commands = marquee.commands();
    let mut told = Vec::new();
    for number in 0..20 {
        let operation = format!("without-kafka-{number}");
        let request = commands.post("/v1/movies").header("X-Request-Id", &operation);
        let body = samples::movie(&samples::title("Without Kafka"));
        let answer = request.json(&body).send().await.expect(201);
        told.push(acknowledged(&operation, &answer));
    }

    proxy.set(Weather::Fair);
    marquee.projector.start_ready().await;
    assert_consistent(&marquee, told).await;
}

#[tokio::test]
async fn no_stream_token_leaves_while_its_audit_cannot_be_written() {
    let kafka = before_kafka(Weather::Cut).await;
    let mysql = before(&servers().database_url, Weather::Fair).await;
    // The query API alone is cut off from both.
    let marquee = Marquee::prepare(Setup { edge: true, ..Setup::default() }).await;
    marquee.query_api.set("KAFKA_BROKERS", &kafka.address());
    marquee
        .query_api
        .set("DATABASE_URL", &marquee.database.url_of(Account::QueryApi, Some(&mysql.address())));
    marquee.command_api.start_ready().await;
    marquee.projector.start_ready().await;
    marquee.query_api.start().await;
    let movie = marquee.admin().create_playable("Unaudited").await;
    let queries = marquee.queries();
    let path = format!("/v1/movies/{}", movie.id);
    until("the movie is visible", async || {
        (queries.get(&path).send().await.status == 200).then_some(())
    })
    .await;
    let tokens = format!("{path}/stream-tokens");
    // Without Kafka it is in the outbox.
    let _ = queries
        .post(&tokens)
        .json(&json!({ "session_id": samples::tag() }))
        .send()
        .await
        .expect(201);

    let session = json!({ "session_id": samples::tag() });
    for weather in [Weather::Cut, Weather::Stalled] {
        mysql.set(weather);
        let refused = queries.post(&tokens).json(&session).send();
        let refused = in_time("the request is answered", refused).await;
        assert_unavailable(&refused);
        assert!(!refused.text().contains("signed_url"), "{refused:?}");
    }

    kafka.set(Weather::Fair);
    let issued = until("a token is issued", async || {
        let answer = queries.post(&tokens).json(&session).send().await;
        assert!([201, 503].contains(&answer.status), "{answer:?}");
        (answer.status == 201).then_some(answer)
    })
    .await;
    let _ = queries.get(&issued.text_of("signed_url")).send().await.expect(200);
}
