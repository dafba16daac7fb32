//! What viewers get while a server is away.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    bed::{Bed, until},
    client::bearer,
    life::EDITOR,
    proxy::Proxy,
    sample::Sample,
    topic::read_all,
};

#[tokio::test(flavor = "multi_thread")]
async fn without_mysql_it_starts_and_says_so_and_later_serves_what_it_read() {
    let bed = Bed::without_tables().await;
    let api = bed.start_unready();
    until("it has tried", async || api.client.get("/healthz").await.status == 200).await;
    for path in ["/v1/movies", "/v1/movies/x", "/v1/genres"] {
        let answer = api.client.get(path).await;
        answer.is_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let verify = api
        .client
        .get_with("/v1/stream-tokens/verify", &[("X-Stream-Token", "x"), ("X-Original-Path", "/x")])
        .await;
    verify.is_problem(503, "unavailable");
    let unready = api.client.get("/readyz").await;
    assert_eq!((unready.status, &unready.json["checks"]["catalog"]["ok"]), (503, &json!(false)));

    bed.migrate().await;
    until("it is ready", async || api.client.get("/readyz").await.status == 200).await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    bed.drop_database().await;
    let path = format!("/v1/movies/{}", movie.slug);
    // Long enough for it to have noticed.
    for _ in 0..100 {
        assert_eq!(api.client.get(&path).await.status, 200);
        assert_eq!(api.client.get("/v1/movies").await.titles(), ["Alpha"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_not_ready_while_it_cannot_follow_and_is_while_mysql_is_away() {
    let mut bed = Bed::new().await;
    let url = bed.settings.mysql.url.expose_secret().to_owned();
    let proxy = Proxy::before(&url).await;
    bed.settings.mysql.url = proxy.url(&url).into();
    let api = bed.start().await;
    let rename = async |from: &str, to: &str| {
        sqlx::query(&format!("RENAME TABLE {from} TO {to}")).execute(&bed.pool).await.unwrap();
    };
    rename("projection_checkpoints", "elsewhere").await;
    until("it is not ready", async || {
        let answer = api.client.get("/readyz").await;
        answer.status == 503
            && answer.json["checks"]["catalog"]["info"] == "cannot follow its read models"
    })
    .await;
    rename("elsewhere", "projection_checkpoints").await;
    until("it is ready again", async || api.client.get("/readyz").await.status == 200).await;

    let followed = proxy.received();
    until("it follows", async || proxy.received() > followed).await;
    proxy.cut();
    until("a feed finds MySQL away", async || {
        let auth = bearer(EDITOR, "events:read");
        api.client.get_with("/v1/events", &[("Authorization", &auth)]).await.status == 503
    })
    .await;
    for _ in 0..100 {
        assert_eq!(api.client.get("/readyz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_token_is_issued_and_marked() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    bed.settings.redis.url = SecretString::from("redis://127.0.0.1:1/0");
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let body = json!({ "session_id": "tv-1" });
        let answer = api.client.post(&movie.tokens_path(), &body, &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        tokens.push(answer.json["token_id"].clone());
    }
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    assert_eq!(audited.len(), 2);
    for record in audited {
        assert!(tokens.contains(&record.payload["token_id"]));
        assert_eq!(record.payload["stateless"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_hangs_tokens_are_issued_and_marked() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    // It takes connections, and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/0", silent.local_addr().unwrap());
    bed.settings.redis.url = SecretString::from(url);
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    for _ in 0..4 {
        let answer = api.client.post(&movie.tokens_path(), &json!({}), &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    assert_eq!(audited.len(), 4);
    assert!(audited.iter().all(|record| record.payload["stateless"] == true));
}

/// What nobody listens at.
const NOWHERE: &str = "127.0.0.1:1";

async fn waiting(bed: &Bed) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM stream_token_outbox")
        .fetch_one(&bed.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_a_token_s_record_is_in_the_outbox_and_is_published_once_it_is_back() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    let brokers = std::mem::replace(&mut bed.settings.kafka.brokers, NOWHERE.to_owned());
    let mut movie = Sample::new("Alpha");
    let issued = {
        let api = bed.start().await;
        bed.show(&api, &mut movie).await;
        let mut issued = Vec::new();
        for session in ["tv-1", "tv-2", "tv-1"] {
            let body = json!({ "session_id": session });
            let answer = api.client.post(&movie.tokens_path(), &body, &[]).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            issued.push(answer.json);
        }
        // In the outbox before the answer: no waiting here.
        assert_eq!(waiting(&bed).await, 2);
        api.stop_gracefully().await;
        issued
    };
    assert_eq!(issued[0]["token_id"], issued[2]["token_id"]);

    bed.settings.kafka.brokers = brokers;
    assert!(read_all(&bed, &bed.topics.stream_tokens).await.is_empty());
    let api = bed.start().await;
    until("the outbox is published", async || waiting(&bed).await == 0).await;
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    assert_eq!(audited.len(), 2);
    for (record, answer) in audited.iter().zip(&issued) {
        let of_it =
            |record: &&crate::topic::Record| record.payload["token_id"] == answer["token_id"];
        let record = audited.iter().find(of_it).unwrap_or(record);
        assert_eq!(record.payload["token_id"], answer["token_id"]);
        assert_eq!(record.event.event_type, "marquee.stream-token.StreamTokenIssued.v1");
        assert_eq!(record.event.id, answer["token_id"].as_str().unwrap());
        assert_eq!(Some(record.key.as_str()), record.payload["viewer_context"].as_str());
    }
    let ready = api.client.get("/readyz").await;
    assert_eq!(ready.json["checks"]["stream_token_outbox"]["ok"], true, "{ready:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_and_mysql_no_token_leaves_and_the_reserved_one_is_audited_when_it_does() {
    let mut bed = Bed::new().await;
    bed.make_topics().await;
    let brokers = std::mem::replace(&mut bed.settings.kafka.brokers, NOWHERE.to_owned());
    let url = bed.settings.mysql.url.expose_secret().to_owned();
    let mut movie = Sample::new("Alpha");
    let body = json!({ "session_id": "tv-1" });
    {
        let proxy = Proxy::before(&url).await;
        bed.settings.mysql.url = proxy.url(&url).into();
        let api = bed.start().await;
        bed.show(&api, &mut movie).await;
        // The movie's data key is in memory from now on.
        let other = json!({ "session_id": "tv-2" });
        assert_eq!(api.client.post(&movie.tokens_path(), &other, &[]).await.status, 201);
        proxy.cut();
        for _ in 0..2 {
            let refused = api.client.post(&movie.tokens_path(), &body, &[]).await;
            refused.is_problem(503, "unavailable");
            assert_eq!(refused.header("retry-after"), "1");
            assert!(!refused.body.contains("cdn.example"));
        }
        api.stop_gracefully().await;
    }
    assert_eq!(waiting(&bed).await, 1);
    bed.settings.mysql.url = url.into();
    bed.settings.kafka.brokers = brokers;
    // The reservation is still there, unaudited: whoever hands it out audits it first.
    let api = bed.start().await;
    let answer = api.client.post(&movie.tokens_path(), &body, &[]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    let of_it =
        audited.iter().filter(|record| record.payload["token_id"] == answer.json["token_id"]);
    assert_eq!(of_it.count(), 1);
}
