//! `/v1/viewing-sessions`: begun, reported on, read.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::{
    ViewingSessionId,
    viewing_session::{
        DeviceType, PlayerErrorCode, PlayerState, Started, ViewingSession, ViewingSessionEvent,
        decode,
    },
};
use marquee_infra::clock;
use query_api::{
    sessions::{MAX_BATCH, MAX_RANGES, SessionIds},
    tokens::ViewerContextKey,
};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    bed::{Bed, Running},
    client::{Answer, bearer},
    sample::Sample,
    topic::{Record, read_all},
};

const USER: &str = "0197d2a5-0000-7000-8000-000000000001";
const OTHER: &str = "0197d2a5-0000-7000-8000-000000000002";
const START: &str = "/v1/viewing-sessions";

async fn with_movie(bed: &Bed) -> (Running, Sample) {
    bed.make_topics().await;
    let api = bed.start().await;
    let mut movie = Sample::new("Alpha");
    bed.show(&api, &mut movie).await;
    (api, movie)
}

/// Begun by nobody in particular, who is called so.
async fn begun(api: &Running, movie: &Sample, anonymous_id: &str) -> String {
    let body =
        json!({ "movie_id": movie.movie_id, "device_type": "TV", "anonymous_id": anonymous_id });
    let answer = api.client.post(START, &body, &[]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json["session_id"].as_str().expect("an id").to_owned()
}

fn events_path(session_id: &str) -> String {
    format!("{START}/{session_id}/events")
}

fn beat(sequence: u64) -> Value {
    json!({ "type": "HEARTBEAT", "sequence": sequence })
}

/// What the topic has of this session, in order.
async fn published(bed: &Bed, session_id: &str) -> Vec<Record> {
    let mut records = read_all(bed, &bed.topics.viewing_sessions).await;
    records.retain(|record| record.key == session_id);
    records
}

fn fold(records: &[Record]) -> ViewingSession {
    let mut session = ViewingSession::default();
    for Record { event, payload, .. } in records {
        session.apply(&decode(&event.event_type, payload.to_string().as_bytes()).unwrap());
    }
    session
}

/// Writes the session's row, as the projector does.
async fn project(bed: &Bed, session: &ViewingSession) {
    let started = session.started().expect("it has begun");
    let errors: Vec<String> = session.player_errors().map(ToString::to_string).collect();
    sqlx::query(
        "REPLACE INTO viewing_sessions (session_id, movie_id, device_type, started_at, viewer_id,
             anonymous_id, token_id, ended_at, end_reason, completion_percent, watched_seconds,
             player_errors, has_errors, player_state, last_seen_at, times_out_at, kafka_partition,
             fold)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
    )
    .bind(started.session_id.to_string())
    .bind(started.movie_id.to_string())
    .bind(started.device_type.as_str())
    .bind(started.started_at)
    .bind(started.viewer_id.map(|id| id.to_string()))
    .bind(&started.anonymous_id)
    .bind(started.token_id.map(|id| id.to_string()))
    .bind(session.ended().map(|(at, _)| at))
    .bind(session.ended().map(|(_, ending)| ending.as_str()))
    .bind(session.completion_percent())
    .bind(session.watched_seconds())
    .bind(Json(&errors))
    .bind(!errors.is_empty())
    .bind(session.state().map(PlayerState::as_str))
    .bind(session.seen_at())
    .bind(session.times_out_at())
    .bind(Json(session))
    .execute(&bed.pool)
    .await
    .expect("the row is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_begun_for_a_movie_that_viewers_see() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let token_id = clock::new_uuid();
    let before = clock::now();
    let body =
        json!({ "movie_id": movie.movie_id, "device_type": "SET_TOP_BOX", "token_id": token_id });
    let answer = api.client.post(START, &body, &[]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let session_id = answer.json["session_id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("{START}/{session_id}"));
    assert_eq!(
        (&answer.json["heartbeat_seconds"], &answer.json["max_batch"]),
        (&30.into(), &50.into())
    );
    let started_at: DateTime<Utc> = answer.json["started_at"].as_str().unwrap().parse().unwrap();
    assert!((started_at - before).abs() < TimeDelta::seconds(5));

    // Kafka had it before the answer: no waiting here.
    let records = published(&bed, session_id).await;
    let [record] = &records[..] else { panic!("one record, not {}", records.len()) };
    assert_eq!(record.event.event_type, "marquee.viewing-session.ViewingSessionStarted.v1");
    assert_eq!(record.event.source, "/marquee/query-api");
    assert_eq!(
        (record.event.subject.as_str(), record.event.id.as_str()),
        (session_id, &*format!("{session_id}/0"))
    );
    assert_eq!(record.event.request_id.as_deref(), Some(answer.header("x-request-id")));
    for (member, expected) in [
        ("session_id", json!(session_id)),
        ("movie_id", json!(movie.movie_id)),
        ("token_id", json!(token_id)),
        ("device_type", json!("SET_TOP_BOX")),
        ("started_at", answer.json["started_at"].clone()),
        // As the stream was measured.
        ("duration_ms", json!(5_400_000)),
        ("heartbeat_seconds", json!(30)),
        ("viewer_id", Value::Null),
    ] {
        assert_eq!(record.payload[member], expected, "{member}");
    }

    let mut hidden = Sample::new("Hidden");
    hidden.visibility = "HIDDEN";
    let mut later = Sample::new("Later");
    later.start = clock::now() + TimeDelta::hours(1);
    later.end = later.start + TimeDelta::hours(1);
    bed.put(&mut hidden).await;
    bed.show(&api, &mut later).await;
    for movie_id in [hidden.movie_id.uuid(), later.movie_id.uuid(), clock::new_uuid()] {
        let body = json!({ "movie_id": movie_id, "device_type": "TV" });
        api.client.post(START, &body, &[]).await.is_problem(404, "movie_not_found");
    }
    assert_eq!(read_all(&bed, &bed.topics.viewing_sessions).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_viewer_s_session_is_theirs_alone() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let (user, other) = (bearer(USER, ""), bearer(OTHER, "catalog:read"));
    let body = json!({ "movie_id": movie.movie_id, "device_type": "PHONE" });
    let answer = api.client.post(START, &body, &[("Authorization", &user)]).await;
    assert_eq!((answer.status, &answer.json["anonymous_id"]), (201, &Value::Null));
    let session_id = answer.json["session_id"].as_str().unwrap();
    let path = events_path(session_id);
    let report = async |auth: Option<&str>, body: Value| {
        let headers: Vec<(&str, &str)> =
            auth.map(|auth| ("Authorization", auth)).into_iter().collect();
        api.client.post(&path, &body, &headers).await
    };
    assert_eq!(report(Some(&user), beat(1)).await.status, 202);
    let stranger = json!({ "type": "END", "sequence": 2, "anonymous_id": "somebody" });
    report(Some(&other), beat(2)).await.is_problem(404, "viewing_session_not_found");
    report(None, stranger).await.is_problem(404, "viewing_session_not_found");
    report(None, beat(2)).await.is_problem(422, "validation_failed");
    let nobody = events_path(&clock::new_uuid().to_string());
    for unknown in [nobody.as_str(), "/v1/viewing-sessions/not-an-id/events"] {
        let answer = api.client.post(unknown, &beat(1), &[("Authorization", &user)]).await;
        answer.is_problem(404, "viewing_session_not_found");
    }
    let records = published(&bed, session_id).await;
    assert_eq!(records.len(), 2, "its start, and its owner's report");
    assert_eq!(records[0].payload["viewer_id"], USER);
    assert_eq!(records[0].payload["anonymous_id"], Value::Null);

    // It is known by its id, and not projected yet.
    let path = format!("{START}/{session_id}");
    let read = async |auth: &str| api.client.get_with(&path, &[("Authorization", auth)]).await;
    let early = read(&user).await;
    assert_eq!(early.is_problem(503, "not_yet_projected").header("retry-after"), "1");
    project(&bed, &fold(&records)).await;
    let shown = read(&user).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.header("cache-control"), "private, no-store");
    for (member, expected) in [
        ("session_id", json!(session_id)),
        ("movie_id", json!(movie.movie_id)),
        ("viewer_id", json!(USER)),
        ("device_type", json!("PHONE")),
        ("started_at", answer.json["started_at"].clone()),
        ("ended_at", Value::Null),
        ("completion_percent", json!(0)),
        ("player_errors", json!([])),
    ] {
        assert_eq!(shown.json[member], expected, "{member}");
    }
    read(&other).await.is_problem(404, "viewing_session_not_found");
    api.client.get(&path).await.is_problem(401, "unauthenticated");
    api.client
        .get_with(&path, &[("Anonymous-Id", "somebody")])
        .await
        .is_problem(404, "viewing_session_not_found");
    assert_eq!(read(&bearer(OTHER, "ops:read")).await.json, shown.json);
    let operator = bearer(OTHER, "ops:read");
    api.client
        .get_with(&format!("{START}/{}", clock::new_uuid()), &[("Authorization", &operator)])
        .await
        .is_problem(404, "viewing_session_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_anonymous_own_what_they_have_the_id_of() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let body = json!({ "movie_id": movie.movie_id, "device_type": "DESKTOP" });
    let answer = api.client.post(START, &body, &[]).await;
    let session_id = answer.json["session_id"].as_str().unwrap();
    let anonymous_id = answer.json["anonymous_id"].as_str().unwrap();
    assert_eq!(anonymous_id.len(), 32);
    let report = async |id: &str| {
        let body = json!({ "anonymous_id": id, "events": [beat(1)] });
        api.client.post(&events_path(session_id), &body, &[]).await
    };
    assert_eq!(report(anonymous_id).await.status, 202);
    report("somebody-else").await.is_problem(404, "viewing_session_not_found");
    // In the header as well, or instead: one id, however it is sent.
    let header = [("Anonymous-Id", anonymous_id)];
    let path = events_path(session_id);
    assert_eq!(api.client.post(&path, &beat(1), &header).await.status, 202);
    let both = json!({ "anonymous_id": "somebody-else", "events": [beat(1)] });
    let contradicted = api.client.post(&path, &both, &header).await;
    assert_eq!(contradicted.is_problem(422, "validation_failed").pointers(), ["/anonymous_id"]);
    // Signed in, one is somebody else.
    let user = bearer(USER, "");
    let signed_in = api.client.post(&path, &beat(2), &[("Authorization", &user)]).await;
    signed_in.is_problem(404, "viewing_session_not_found");

    let records = published(&bed, session_id).await;
    assert_eq!(records.len(), 3);
    let hash = records[0].payload["anonymous_id"].as_str().unwrap();
    assert_eq!(hash.len(), 64);
    for record in &records {
        assert!(!record.payload.to_string().contains(anonymous_id), "the id opens the session");
    }
    // The hash that the token audit has of the same id.
    let body = json!({ "session_id": anonymous_id });
    let token = api.client.post(&movie.tokens_path(), &body, &[]).await;
    assert_eq!(token.status, 201);
    let audited = read_all(&bed, &bed.topics.stream_tokens).await;
    assert_eq!(audited[0].payload["viewer_context"], hash);

    project(&bed, &fold(&records)).await;
    let path = format!("{START}/{session_id}");
    let shown = api.client.get_with(&path, &[("Anonymous-Id", anonymous_id)]).await;
    assert_eq!((shown.status, &shown.json["anonymous_id"]), (200, &json!(hash)));
    let wrong = api.client.get_with(&path, &[("Anonymous-Id", "a b")]).await;
    assert_eq!(wrong.is_problem(400, "invalid_request").pointers(), ["anonymous-id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_player_reports_is_published_as_it_said_in_one_go_and_known_when_it_comes_again() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    let session_id = begun(&api, &movie, "tv-1").await;
    let cmcd =
        json!({ "br": 3200, "tb": 6000, "mtp": 25400, "bl": 21300, "bs": false, "su": true });
    let watched =
        json!([{ "from_ms": 0, "to_ms": 540_000 }, { "from_ms": 500_000, "to_ms": 600_000 }]);
    let batch = json!({ "anonymous_id": "tv-1", "events": [
        { "type": "STATE", "sequence": 1, "state": "PLAYING", "cmcd": cmcd },
        { "type": "HEARTBEAT", "sequence": 2, "position_ms": 600_000, "watched": watched, "age_ms": 60_000 },
        { "type": "ERROR", "sequence": 3, "code": "hls.fragLoadError:404", "fatal": true },
        { "type": "END", "sequence": 4, "reason": "FAILED" },
    ]});
    let now = clock::now();
    for _ in 0..2 {
        let answer = api.client.post(&events_path(&session_id), &batch, &[]).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.json, json!({ "session_id": session_id, "accepted": 4 }));
    }
    let single = json!({ "anonymous_id": "tv-1", "type": "STATE", "sequence": 5, "state": "PAUSED", "cmcd": null });
    assert_eq!(api.client.post(&events_path(&session_id), &single, &[]).await.status, 202);

    let records = published(&bed, &session_id).await;
    let ids: Vec<&str> = records.iter().map(|record| record.event.id.as_str()).collect();
    let id = |n: u64| format!("{session_id}/{n}");
    assert_eq!(ids, [0, 1, 2, 3, 4, 1, 2, 3, 4, 5].map(id));
    let names: Vec<&str> =
        records[1..5].iter().map(|record| record.payload["type"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "ViewingSessionProgressed",
            "ViewingSessionProgressed",
            "PlayerErrorReported",
            "ViewingSessionEnded"
        ]
    );
    for record in &records[1..] {
        assert_eq!(record.event.sequence, record.payload["sequence"].as_u64());
    }
    assert_eq!(records[1].payload["cmcd"], cmcd);
    assert_eq!(records[2].payload["watched"], watched);
    assert_eq!(
        (&records[3].payload["code"], &records[3].payload["fatal"]),
        (&json!("hls.fragLoadError:404"), &json!(true))
    );
    // A minute ago, but not before the session began.
    let time = |n: usize| records[n].event.time;
    assert_eq!(time(2), time(0));
    assert!(time(1) >= now - TimeDelta::seconds(1));

    let session = fold(&records);
    assert_eq!(session.completion_percent(), 11, "600 of 5400 seconds");
    assert_eq!(session.ended(), None, "it went on after its end");
    let codes: Vec<&str> = session.player_errors().map(PlayerErrorCode::as_str).collect();
    assert_eq!(codes, ["hls.fragLoadError:404"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_body_is_told_at_once() {
    let bed = Bed::new().await;
    let (api, movie) = with_movie(&bed).await;
    for (body, pointers) in [
        (json!({}), vec!["/movie_id", "/device_type"]),
        (
            json!({ "movie_id": "x", "device_type": "tv", "token_id": 7, "anonymous_id": "a b", "extra": 1 }),
            vec!["/movie_id", "/device_type", "/token_id", "/anonymous_id", "/extra"],
        ),
        (json!([]), vec![""]),
    ] {
        let answer = api.client.post(START, &body, &[]).await;
        assert_eq!(answer.is_problem(422, "validation_failed").pointers(), pointers, "{body}");
    }
    let user = bearer(USER, "");
    let both = json!({ "movie_id": movie.movie_id, "device_type": "TV", "anonymous_id": "tv-1" });
    let answer = api.client.post(START, &both, &[("Authorization", &user)]).await;
    assert_eq!(answer.is_problem(422, "validation_failed").pointers(), ["/anonymous_id"]);

    let session_id = begun(&api, &movie, "tv-1").await;
    let path = events_path(&session_id);
    let many = |count: usize| (1..=count as u64).map(beat).collect::<Vec<Value>>();
    let ranges = vec![json!({ "from_ms": 0, "to_ms": 1 }); MAX_RANGES + 1];
    for (event, pointers) in [
        (json!({ "events": [] }), vec!["/events"]),
        (json!({ "events": {} }), vec!["/events"]),
        (json!({ "events": many(MAX_BATCH + 1) }), vec!["/events"]),
        (json!({ "events": [7, beat(0)] }), vec!["/events/0", "/events/1/sequence"]),
        (json!({ "type": "PING" }), vec!["/type", "/sequence"]),
        (beat(1_000_001), vec!["/sequence"]),
        (json!({ "type": "STATE", "sequence": 1 }), vec!["/state"]),
        (json!({ "type": "ERROR", "sequence": 1 }), vec!["/code"]),
        (json!({ "type": "ERROR", "sequence": 1, "code": "not a code" }), vec!["/code"]),
        (
            json!({ "type": "HEARTBEAT", "sequence": 1, "code": "e", "fatal": true, "reason": "STOPPED" }),
            vec!["/code", "/fatal", "/reason"],
        ),
        (
            json!({ "type": "ERROR", "sequence": 1, "code": "e", "state": "PLAYING", "watched": ranges[..1] }),
            vec!["/state", "/watched"],
        ),
        (json!({ "type": "END", "sequence": 1, "reason": "TIMED_OUT" }), vec!["/reason"]),
        (
            json!({ "type": "HEARTBEAT", "sequence": 1, "age_ms": 86_400_001, "position_ms": 600_000_001 }),
            vec!["/age_ms", "/position_ms"],
        ),
        (json!({ "type": "HEARTBEAT", "sequence": 1, "watched": ranges }), vec!["/watched"]),
        (
            json!({ "type": "HEARTBEAT", "sequence": 1, "watched": [{ "from_ms": 2, "to_ms": 1 }, { "from_ms": -1 }] }),
            vec!["/watched/0/to_ms", "/watched/1/from_ms", "/watched/1/to_ms"],
        ),
        (
            json!({ "type": "HEARTBEAT", "sequence": 1, "cmcd": { "br": "x", "bs": 1, "zz": 1 } }),
            vec!["/cmcd/br", "/cmcd/bs", "/cmcd/zz"],
        ),
        (
            json!({ "type": "HEARTBEAT", "sequence": 1, "cmcd": 5, "colour": "red" }),
            vec!["/cmcd", "/colour"],
        ),
    ] {
        let mut body = event.clone();
        body["anonymous_id"] = json!("tv-1");
        let answer = api.client.post(&path, &body, &[]).await;
        let mut found = answer.is_problem(422, "validation_failed").pointers();
        found.sort_unstable();
        let mut expected = pointers;
        expected.sort_unstable();
        assert_eq!(found, expected, "{event}");
    }
    let large = json!({ "anonymous_id": "tv-1", "events": [], "padding": "x".repeat(300_000) });
    api.client.post(&path, &large, &[]).await.is_problem(413, "payload_too_large");
    let text = api.client.request(reqwest::Method::POST, &path).body("{}");
    Answer::of(text).await.is_problem(415, "unsupported_media_type");
    assert_eq!(published(&bed, &session_id).await.len(), 1, "nothing of it was published");
    let whole = json!({ "anonymous_id": "tv-1", "events": many(MAX_BATCH) });
    assert_eq!(api.client.post(&path, &whole, &[]).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_reports_for_a_week() {
    let bed = Bed::new().await;
    let (api, _) = with_movie(&bed).await;
    let key = &bed.settings.viewer.context_key;
    let owner = ViewerContextKey::parse(key).unwrap().context(None, Some("tv-1"));
    let ids = SessionIds::new(key).unwrap();
    for (days, expected) in [(6, 202), (8, 404)] {
        let session_id = ids.issue(&owner, clock::now() - TimeDelta::days(days), [0, 0]);
        let mut report = beat(1);
        report["anonymous_id"] = json!("tv-1");
        let answer = api.client.post(&events_path(&session_id.to_string()), &report, &[]).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_reports_are_refused_and_can_be_sent_again() {
    let mut bed = Bed::new().await;
    let session_id = {
        let (api, movie) = with_movie(&bed).await;
        begun(&api, &movie, "tv-1").await
    };
    let brokers = std::mem::replace(&mut bed.settings.kafka.brokers, "127.0.0.1:1".to_owned());
    let report = json!({ "anonymous_id": "tv-1", "events": [beat(1), beat(2)] });
    let mut movie = Sample::new("Beta");
    {
        let api = bed.start().await;
        bed.show(&api, &mut movie).await;
        let start = json!({ "movie_id": movie.movie_id, "device_type": "TV" });
        for (path, body) in [(events_path(&session_id), &report), (START.to_owned(), &start)] {
            for _ in 0..2 {
                let refused = api.client.post(&path, body, &[]).await;
                refused.is_problem(503, "unavailable");
                assert_eq!(refused.header("retry-after"), "1");
            }
        }
    }
    bed.settings.kafka.brokers = brokers;
    assert_eq!(published(&bed, &session_id).await.len(), 1);
    let api = bed.start().await;
    assert_eq!(api.client.post(&events_path(&session_id), &report, &[]).await.status, 202);
    assert_eq!(published(&bed, &session_id).await.len(), 3);
}

/// In its table.
pub async fn one_with_an_error(bed: &Bed) {
    let mut session = ViewingSession::default();
    let start = started(1, &Sample::new("Watched"));
    session.apply(&error(start.session_id));
    session.apply(&ViewingSessionEvent::ViewingSessionStarted(start));
    project(bed, &session).await;
}

fn error(session_id: ViewingSessionId) -> ViewingSessionEvent {
    let error = json!({
        "type": "PlayerErrorReported", "session_id": session_id, "sequence": 1,
        "occurred_at": clock::now(), "code": "e", "fatal": false,
    });
    serde_json::from_value(error).expect("an event")
}

/// A session that began so many minutes ago.
fn started(minutes_ago: i64, movie: &Sample) -> Started {
    let started_at = clock::now() - TimeDelta::minutes(minutes_ago);
    Started {
        session_id: ViewingSessionId::new(clock::new_uuid()),
        movie_id: movie.movie_id,
        token_id: None,
        device_type: DeviceType::Tv,
        started_at,
        duration_ms: 5_400_000,
        heartbeat_seconds: 30,
        viewer_id: None,
        anonymous_id: Some("ab".repeat(32)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_sessions_by_movie_time_errors_and_token() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let (one, other) = (Sample::new("One"), Sample::new("Other"));
    let token_id = clock::new_uuid();
    let mut sessions = Vec::new();
    for n in 0..12 {
        let movie = if n % 2 == 0 { &one } else { &other };
        let mut session = ViewingSession::default();
        let start = Started { token_id: (n == 3).then_some(token_id), ..started(60 - n, movie) };
        session.apply(&ViewingSessionEvent::ViewingSessionStarted(start.clone()));
        if n % 3 == 0 {
            session.apply(&error(start.session_id));
        }
        project(&bed, &session).await;
        sessions.push(start);
    }
    // One whose start has not come yet is not shown.
    sqlx::query(
        "INSERT INTO viewing_sessions (session_id, completion_percent, watched_seconds,
             player_errors, has_errors, kafka_partition, fold) VALUES (?, 0, 0, '[]', 0, 0, '{}')",
    )
    .bind(clock::new_uuid().to_string())
    .execute(&bed.pool)
    .await
    .unwrap();

    let auth = bearer(USER, "ops:read");
    let list = async |query: &str| {
        api.client.get_with(&format!("{START}?{query}"), &[("Authorization", &auth)]).await
    };
    let found = async |query: &str| -> Vec<usize> {
        let answer = list(query).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let items = answer.json["items"].as_array().unwrap();
        let place = |item: &Value| {
            let id: Uuid = item["session_id"].as_str().unwrap().parse().unwrap();
            sessions.iter().position(|session| session.session_id.uuid() == id).unwrap()
        };
        items.iter().map(place).collect()
    };
    assert_eq!(found("").await, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let movie = format!("movie_id={}", one.movie_id);
    assert_eq!(found(&movie).await, [10, 8, 6, 4, 2, 0]);
    assert_eq!(found("errors=true").await, [9, 6, 3, 0]);
    assert_eq!(found(&format!("{movie}&errors=true")).await, [6, 0]);
    assert_eq!(found(&format!("{movie}&errors=false")).await, [10, 8, 4, 2]);
    assert_eq!(found(&format!("token_id={token_id}")).await, [3]);
    let time =
        |n: usize| sessions[n].started_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    // From is part of it, to is not.
    assert_eq!(found(&format!("from={}&to={}", time(3), time(6))).await, [5, 4, 3]);
    let full = list(&format!("token_id={token_id}")).await.json["items"][0].clone();
    assert_eq!((&full["player_errors"], &full["token_id"]), (&json!(["e"]), &json!(token_id)));

    // Pages neither repeat nor skip, whatever begins meanwhile.
    let mut pages = Vec::new();
    let mut query = format!("{movie}&limit=2&to={}", time(11));
    loop {
        pages.push(found(&query).await);
        let mut session = ViewingSession::default();
        session.apply(&ViewingSessionEvent::ViewingSessionStarted(started(0, &one)));
        project(&bed, &session).await;
        match list(&query).await.json["next_cursor"].as_str() {
            Some(cursor) => query = format!("{movie}&limit=2&to={}&cursor={cursor}", time(11)),
            None => break,
        }
    }
    assert_eq!(pages, [[10, 8], [6, 4], [2, 0]]);

    for (query, pointers) in [
        ("limit=0", vec!["limit"]),
        ("limit=201&errors=maybe&cursor=x&colour=red", vec!["errors", "cursor", "limit", "colour"]),
        ("movie_id=x&token_id=y&from=now&to=then", vec!["movie_id", "token_id", "from", "to"]),
        (&format!("{movie}&token_id={token_id}"), vec!["token_id"]),
        (&format!("from={}&to={}", time(6), time(3)), vec!["to"]),
    ] {
        let answer = list(query).await;
        assert_eq!(answer.is_problem(400, "invalid_request").pointers(), pointers, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_verbs_of_the_address_are_told() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let deleted = Answer::of(api.client.request(reqwest::Method::DELETE, START)).await;
    assert_eq!(deleted.is_problem(405, "method_not_allowed").header("allow"), "POST, GET, HEAD");
}
