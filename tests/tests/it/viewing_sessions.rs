//! Viewing sessions, from the player's report to the row, through a projector that is killed.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use marquee_domain::viewing_session::{ViewingSession, decode};
use marquee_tests::{
    Api, Marquee, Setup,
    admin::Movie,
    fold::{self, Tables},
    jwt, topic, until,
};
use serde_json::{Value, json};

const PLAYERS: u64 = 24;
const BATCHES: u64 = 12;
const KILLS: u64 = 4;
const PARTITIONS: i32 = 6;
const ROWS: &str = "SELECT COUNT(*) FROM viewing_sessions";

/// What a player was promised: these of its numbers are recorded.
#[derive(Debug)]
struct Told {
    session_id: String,
    sequences: BTreeSet<u64>,
    /// Or it fell silent.
    ended: bool,
}

async fn send(queries: &Api, path: &str, body: &Value, status: u16) -> Value {
    let answer = until(&format!("{path} is taken"), async || {
        let answer = queries.post(path).json(body).send().await;
        assert!([status, 503].contains(&answer.status), "{answer:?}");
        (answer.status == status).then_some(answer)
    })
    .await;
    answer.json()
}

/// Watches every other ten seconds, out of order, and says most of it twice.
async fn watch(queries: Api, movie: &Movie, player: u64) -> Told {
    let body = json!({ "movie_id": movie.id, "device_type": "TV" });
    let begun = send(&queries, "/v1/viewing-sessions", &body, 201).await;
    let session_id = begun["session_id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/viewing-sessions/{session_id}/events");
    let mut sequences = BTreeSet::new();
    // 7 has no divisor in common with 12: each batch once, in an order of its own.
    for n in (0..BATCHES).map(|n| (n * 7 + player) % BATCHES) {
        let (first, second) = (2 * n + 1, 2 * n + 2);
        let from_ms = (n % 6) * 10_000;
        let heartbeat = json!({
            "type": "HEARTBEAT", "sequence": first, "state": "PLAYING",
            "watched": [{ "from_ms": from_ms, "to_ms": from_ms + 5_000 }],
        });
        let other = if n == player % BATCHES {
            json!({ "type": "ERROR", "sequence": second, "code": format!("e{player}") })
        } else {
            json!({ "type": "STATE", "sequence": second, "state": "BUFFERING" })
        };
        let mut body = json!({ "events": [heartbeat, other] });
        if let Some(anonymous_id) = begun["anonymous_id"].as_str() {
            body["anonymous_id"] = json!(anonymous_id);
        }
        for _ in 0..=(n % 2) {
            send(&queries, &path, &body, 202).await;
        }
        sequences.extend([first, second]);
    }
    let ended = !player.is_multiple_of(3);
    if ended {
        let last = 2 * BATCHES + 1;
        let mut body = json!({ "type": "END", "sequence": last, "reason": "COMPLETED" });
        if let Some(anonymous_id) = begun["anonymous_id"].as_str() {
            body["anonymous_id"] = json!(anonymous_id);
        }
        send(&queries, &path, &body, 202).await;
        sequences.insert(last);
    }
    Told { session_id, sequences, ended }
}

/// What the topic adds up to, and the numbers that are in it, by session.
fn of_topic(records: &[topic::Record]) -> BTreeMap<String, (ViewingSession, BTreeSet<u64>)> {
    let mut sessions: BTreeMap<String, (ViewingSession, BTreeSet<u64>)> = BTreeMap::new();
    for record in records {
        let event = decode(record.header("ce_type"), record.value.as_bytes()).expect("an event");
        let (session, sequences) = sessions.entry(record.key.clone()).or_default();
        session.apply(&event);
        sequences.extend(event.sequence());
    }
    sessions
}

/// What the table has, if it is the fold of the topic.
async fn settled(marquee: &Marquee) -> BTreeMap<String, (ViewingSession, BTreeSet<u64>)> {
    let topic = &marquee.topics.viewing_sessions;
    let records = topic::records(topic).await;
    let pool = marquee.database.pool();
    fold::wait_for_checkpoints(&pool, topic, &fold::topic_end(&records)).await;
    let payloads = records.iter().map(|record| record.value.as_str());
    let expected = fold::viewing_sessions(payloads, PARTITIONS);
    let mut connection = pool.acquire().await.expect("MySQL is up");
    let found = fold::read(&mut connection).await.only("viewing_sessions");
    fold::assert_same(&Tables([("viewing_sessions", expected)].into()), &found);
    of_topic(&records)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_the_pure_fold_of_what_was_acknowledged_though_the_projector_is_killed() {
    let settings = vec![("MARQUEE_VIEWING_SESSION_HEARTBEAT_SECONDS", "1".to_owned())];
    let marquee = Marquee::start_with(Setup { settings, ..Setup::default() }).await;
    let movie = marquee.admin().create_playable("Watched").await;
    let queries = marquee.queries();
    let path = format!("/v1/movies/{}", movie.id);
    until("the movie is shown", async || {
        (queries.get(&path).send().await.status == 200).then_some(())
    })
    .await;

    let viewer = queries.as_bearer(jwt::with_scope(""));
    let players = (0..PLAYERS).map(|player| {
        // Every other one is signed in.
        let queries = if player % 2 == 0 { viewer.clone() } else { queries.clone() };
        watch(queries, &movie, player)
    });
    let kills = async {
        for kill in 0..KILLS {
            let rows = PLAYERS * kill / KILLS;
            until("it has done something", async || {
                (marquee.database.number(ROWS).await >= rows).then_some(())
            })
            .await;
            marquee.projector.crash_and_start().await;
        }
    };
    let (told, ()) = tokio::join!(join_all(players), kills);

    // Those that said so, and those that fell silent.
    until("all sessions have ended", async || {
        let over = "SELECT COUNT(*) FROM viewing_sessions WHERE ended_at IS NOT NULL";
        (marquee.database.number(over).await == PLAYERS).then_some(())
    })
    .await;
    let expected = settled(&marquee).await;
    assert_eq!(expected.len(), told.len());
    for Told { session_id, sequences, ended } in &told {
        let (session, recorded) = &expected[session_id];
        assert_eq!(recorded, sequences, "nothing acknowledged is lost, and nothing is made up");
        assert_eq!(session.completion_percent(), 50, "the movie has 60 seconds");
        assert_eq!(session.player_errors().count(), 1);
        let (_, ending) = session.ended().expect("it has ended");
        assert_eq!(ending.as_str(), if *ended { "COMPLETED" } else { "TIMED_OUT" });
    }
    let parked = marquee.database.number("SELECT COUNT(*) FROM parked_events").await;
    assert_eq!(parked, 0);

    // As its viewer and as an operator see it.
    let path = format!("/v1/viewing-sessions/{}", told[0].session_id);
    let shown = viewer.get(&path).send().await.expect(200).json();
    assert_eq!(
        (&shown["completion_percent"], &shown["end_reason"]),
        (&50.into(), &"TIMED_OUT".into())
    );
    let operator = queries.as_bearer(jwt::with_scope("ops:read"));
    let with_errors = format!("/v1/viewing-sessions?movie_id={}&errors=true", movie.id);
    let listed = operator.get(&with_errors).send().await.expect(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(told.len()));
}
