//! Every kind of record that can't be read, in the real pipeline: docs/runbook.md has a table that says
//! what is done with each, and this follows it.

use std::collections::BTreeMap;

use marquee_domain::MovieId;
use marquee_infra::{clock, event_log::EventReader, kafka::CloudEvent};
use projector::{
    dead_letters::header,
    parked::{self, Retried, Selection},
};
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::json;

use crate::{
    bed::{Bed, Record, Recorded},
    dead_letters::{self, Letter, plain},
    model,
    samples::Log,
    viewing_sessions::evening,
};

const PARKED: &str = "SELECT COUNT(*) FROM parked_events";

/// What is done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// With all later records of its movie.
    ParkedWithItsMovie,
    ParkedAlone,
    Skipped,
    /// It is not broken.
    Applied,
}

/// A way in which a movie's second record is broken.
struct Kind {
    /// As in the table.
    name: &'static str,
    outcome: Outcome,
    /// What its error tells.
    error: &'static str,
    breaks: fn(&mut Record),
}

const fn kind(
    name: &'static str,
    outcome: Outcome,
    error: &'static str,
    breaks: fn(&mut Record),
) -> Kind {
    Kind { name, outcome, error, breaks }
}

fn movie_kinds() -> Vec<Kind> {
    use Outcome::{Applied, ParkedAlone, ParkedWithItsMovie, Skipped};
    let not_retitled = "not a marquee.movie.MovieRetitled.v1";
    vec![
        kind("invalid JSON", ParkedWithItsMovie, not_retitled, |record| {
            record.payload = Some(b"{\"type\":".to_vec());
        }),
        kind("a value of 5 MB", ParkedWithItsMovie, not_retitled, |record| {
            record.payload = Some(vec![b'x'; 5_000_000]);
        }),
        kind("a value that is not UTF-8", ParkedWithItsMovie, "UTF-8", |record| {
            record.payload = Some(vec![0xff, 0xfe, 0x00]);
        }),
        kind("no value (a tombstone)", ParkedWithItsMovie, "no value", |record| {
            record.payload = None;
        }),
        kind("an empty value", ParkedWithItsMovie, "", |record| record.payload = Some(Vec::new())),
        kind("an unknown type", ParkedWithItsMovie, "MovieEaten", |record| {
            retype(record, "marquee.movie.MovieEaten.v1");
        }),
        kind("an unknown version", ParkedWithItsMovie, "has no version 9", |record| {
            retype(record, "marquee.movie.MovieRetitled.v9");
        }),
        kind("another type in the value than in `ce_type`", ParkedWithItsMovie, "", |record| {
            retype(record, "marquee.movie.MovieShown.v1");
        }),
        kind("no headers", ParkedWithItsMovie, "ce_specversion is missing", |record| {
            record.headers = OwnedHeaders::new();
        }),
        kind("no `ce_sequence`", ParkedWithItsMovie, "ce_sequence is missing", |record| {
            change(record, |event| event.sequence = None);
        }),
        kind("a header twice", ParkedWithItsMovie, "ce_type is there twice", |record| {
            record.headers = with(&record.headers, "ce_type", Some(b"again"));
        }),
        kind("a header that is not UTF-8", ParkedWithItsMovie, "ce_actor is not UTF-8", |record| {
            change(record, |event| event.actor = None);
            record.headers = with(&record.headers, "ce_actor", Some(b"\xff\x00"));
        }),
        kind("no key", ParkedAlone, "no key that is a movie's id", |record| record.key = None),
        kind("a key that is no movie's id", ParkedAlone, "no key", |record| {
            record.key = Some(vec![b'k'; 5_000]);
        }),
        kind("a key that is not UTF-8", ParkedAlone, "no key", |record| {
            record.key = Some(vec![0xff, 0x00, 0xfe]);
        }),
        kind("a `ce_sequence` that was applied before", Skipped, "", |record| {
            change(record, |event| event.sequence = Some(1));
        }),
        kind("a header that Marquee does not know", Applied, "", |record| {
            record.headers = with(&record.headers, "tenant", Some(b"\xff"));
        }),
    ]
}

fn token_kinds() -> Vec<Kind> {
    use Outcome::{ParkedAlone, Skipped};
    vec![
        kind("invalid JSON", ParkedAlone, "not a token event", |record| {
            record.payload = Some(b"{".to_vec());
        }),
        kind("a value of 5 MB", ParkedAlone, "not a token event", |record| {
            record.payload = Some(vec![b'x'; 5_000_000]);
        }),
        kind("a value that is not UTF-8", ParkedAlone, "not a token event", |record| {
            record.payload = Some(vec![b'"', 0xff, b'"']);
        }),
        kind("no value (a tombstone)", ParkedAlone, "no value", |record| record.payload = None),
        kind("a field that is missing or wrong", ParkedAlone, "token_id", |record| {
            record.payload = Some(b"{\"type\":\"StreamTokenIssued\"}".to_vec());
        }),
        kind("an unknown type", Skipped, "", |record| {
            record.payload = Some(b"{\"type\":\"StreamTokenFramed\"}".to_vec());
        }),
    ]
}

fn session_kinds() -> Vec<Kind> {
    use Outcome::{Applied, ParkedAlone, Skipped};
    vec![
        kind("invalid JSON", ParkedAlone, "not a marquee.viewing-session.", |record| {
            record.payload = Some(b"{".to_vec());
        }),
        kind("a value of 5 MB", ParkedAlone, "not a marquee.viewing-session.", |record| {
            record.payload = Some(vec![b'x'; 5_000_000]);
        }),
        kind("a value that is not UTF-8", ParkedAlone, "not a marquee.", |record| {
            record.payload = Some(vec![b'"', 0xff, b'"']);
        }),
        kind("no value (a tombstone)", ParkedAlone, "no value", |record| record.payload = None),
        kind("a field that is missing or wrong", ParkedAlone, "missing field", |record| {
            record.payload = Some(b"{\"type\":\"ViewingSessionStarted\"}".to_vec());
        }),
        kind("an unknown type", ParkedAlone, "unknown variant", |record| {
            record.payload = Some(b"{\"type\":\"ViewingSessionFramed\"}".to_vec());
        }),
        kind("an unknown version", ParkedAlone, "the payload is that of", |record| {
            retype(record, "marquee.viewing-session.ViewingSessionStarted.v9");
        }),
        kind("no headers", ParkedAlone, "ce_specversion is missing", |record| {
            record.headers = OwnedHeaders::new();
        }),
        kind("a key that is not its session's id", ParkedAlone, "not the session's id", |record| {
            record.key = Some(b"k".to_vec());
        }),
        kind("no key", ParkedAlone, "not the session's id", |record| record.key = None),
        kind("a value that MySQL does not take", ParkedAlone, "anonymous_id", |record| {
            let payload = record.payload.take().unwrap();
            let mut payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            payload["anonymous_id"] = json!("x".repeat(65));
            record.payload = Some(payload.to_string().into_bytes());
        }),
        kind("what was applied before", Skipped, "", |_| {}),
        kind("a header that Marquee does not know", Applied, "", |record| {
            record.headers = with(&record.headers, "tenant", Some(b"\xff"));
        }),
    ]
}

fn change(record: &mut Record, change: impl FnOnce(&mut CloudEvent)) {
    let mut event = CloudEvent::from_headers(&record.headers).expect("headers are whole");
    change(&mut event);
    record.headers = event.to_headers();
}

fn retype(record: &mut Record, event_type: &str) {
    change(record, |event| event_type.clone_into(&mut event.event_type));
}

fn with(headers: &OwnedHeaders, key: &str, value: Option<&[u8]>) -> OwnedHeaders {
    headers.clone().insert(Header { key, value })
}

/// Lets records of 5 MB into it, and keeps what the log's topic has to have.
async fn allow_large(bed: &Bed, topic: &str) {
    let kept = [("retention.ms", "-1"), ("retention.bytes", "-1"), ("cleanup.policy", "delete")];
    let large = ("max.message.bytes", "8000000");
    bed.configure_topic(topic, &[&kept[..], &[large]].concat()).await;
}

/// The copy is the record, byte for byte, and says what became of it.
fn assert_copied(letters: &BTreeMap<(i32, i64), Letter>, place: (i32, i64), sent: &Record) {
    let letter = letters.get(&place).expect("it was copied");
    assert_eq!(letter.key, sent.key);
    assert_eq!(letter.payload, sent.payload);
    let headers = plain(&sent.headers);
    assert_eq!(letter.headers[..headers.len()], headers[..]);
    assert_eq!(letter.headers.len(), headers.len() + 6);
    assert!(letter.text(header::PARKED_AT).is_some() && letter.text(header::ERROR).is_some());
}

fn by_place(letters: Vec<Letter>) -> BTreeMap<(i32, i64), Letter> {
    letters.into_iter().map(|letter| (letter.place(), letter)).collect()
}

async fn errors(bed: &Bed, place: (i32, i64)) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT movie_id, error FROM parked_events WHERE kafka_partition = ? AND kafka_offset = ?",
    )
    .bind(place.0)
    .bind(place.1)
    .fetch_all(&bed.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_broken_movie_event_is_dealt_with_as_the_runbook_says() {
    let bed = Bed::new().await;
    allow_large(&bed, &bed.topics.movies).await;
    let running = bed.start();
    let mut log = Log::new();
    let mut cases: Vec<(Kind, MovieId, [Record; 3])> = Vec::new();
    for (n, kind) in movie_kinds().into_iter().enumerate() {
        let movie_id = log.create(&format!("Kind {n}"));
        log.retitle(movie_id, &format!("Kind {n}, broken"));
        log.retitle(movie_id, &format!("Kind {n}, later"));
        let [first, second, third]: [Record; 3] = log
            .of(movie_id)
            .iter()
            .map(Recorded::record)
            .collect::<Vec<_>>()
            .try_into()
            .ok()
            .unwrap();
        let mut broken = second;
        (kind.breaks)(&mut broken);
        cases.push((kind, movie_id, [first, broken, third]));
    }
    let healthy = log.live_a_life("Healthy");
    // The log has all of them: what is broken is Kafka's copy.
    bed.log(&log.events).await;
    let mut places = Vec::new();
    for (_, _, records) in &cases {
        places.push(bed.publish(&bed.topics.movies, records.to_vec()).await);
    }
    bed.publish_events(&log.of(healthy)).await;

    // Every partition goes on.
    bed.wait_for_version(healthy, 9).await;
    let (mut with_movie, mut alone) = (0, 0);
    for ((kind, movie_id, _), places) in cases.iter().zip(&places) {
        let parked = kind.outcome == Outcome::ParkedWithItsMovie;
        bed.wait_for_version(*movie_id, if parked { 1 } else { 3 }).await;
        with_movie += usize::from(parked);
        alone += usize::from(kind.outcome == Outcome::ParkedAlone);
        if parked {
            let behind = format!("{PARKED} WHERE movie_id = '{movie_id}'");
            bed.wait_for_count(2, &behind).await;
        }
        let found = errors(&bed, places[1]).await;
        let expected_movie = match kind.outcome {
            Outcome::Skipped | Outcome::Applied => {
                assert!(found.is_empty(), "{}: {found:?}", kind.name);
                continue;
            }
            Outcome::ParkedAlone => String::new(),
            Outcome::ParkedWithItsMovie => movie_id.to_string(),
        };
        assert_eq!(found.len(), 1, "{}", kind.name);
        assert_eq!(found[0].0, expected_movie, "{}", kind.name);
        assert!(found[0].1.contains(kind.error), "{}: {found:?}", kind.name);
    }
    bed.wait_for_count(i64::try_from(2 * with_movie + alone).unwrap(), PARKED).await;

    let letters = by_place(dead_letters::all(&bed).await);
    assert_eq!(letters.len(), 2 * with_movie + alone);
    for ((kind, _, records), places) in cases.iter().zip(&places) {
        if matches!(kind.outcome, Outcome::ParkedAlone | Outcome::ParkedWithItsMovie) {
            assert_copied(&letters, places[1], &records[1]);
        }
        if kind.outcome == Outcome::ParkedWithItsMovie {
            assert_copied(&letters, places[2], &records[2]);
        }
    }

    // Nothing is lost: the log has what Kafka's copies could not tell.
    let reader = EventReader::new(bed.pool.clone());
    let retried = parked::retry(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(retried, Retried { tried: 2 * with_movie + alone, still_parked: 0 });
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    assert_eq!(bed.count(PARKED).await, 0);

    // And the movies go on from there.
    let healed = log.movies();
    let before = log.events.len();
    for (n, movie_id) in healed.iter().enumerate() {
        log.retitle(*movie_id, &format!("Title {n}"));
    }
    bed.publish_events(&log.events[before..]).await;
    for movie_id in healed {
        let version = log.of(movie_id).len() as u64;
        bed.wait_for_version(movie_id, version).await;
    }
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    assert_eq!(dead_letters::all(&bed).await.len(), letters.len(), "nothing was copied again");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_broken_token_event_is_dealt_with_as_the_runbook_says() {
    let bed = Bed::new().await;
    allow_large(&bed, &bed.topics.stream_tokens).await;
    let running = bed.start();
    let now = clock::now();
    let token = json!({
        "type": "StreamTokenIssued", "token_id": clock::new_uuid(), "movie_id": clock::new_uuid(),
        "viewer_context": "a1".repeat(32), "dialect": "akamai", "key_id": "edge-1",
        "token_sha256": "b2".repeat(32), "signed_url": "https://cdn.example.org/sha256:b2/x.m3u8",
        "issued_at": now, "expires_at": now + chrono::Duration::minutes(5), "stateless": false,
    });
    let fact =
        |id| CloudEvent::viewer_fact(id, "marquee.stream-token.StreamTokenIssued.v1", "x", now);
    let good = Record {
        key: Some("a1".repeat(32).into_bytes()),
        payload: Some(token.to_string().into_bytes()),
        headers: fact(clock::new_uuid()).to_headers(),
    };
    let kinds = token_kinds();
    let mut records: Vec<Record> = vec![good.clone(); kinds.len()];
    for (kind, record) in kinds.iter().zip(&mut records) {
        (kind.breaks)(record);
    }
    records.push(good);
    let places = bed.publish(&bed.topics.stream_tokens, records.clone()).await;
    bed.wait_for_count(1, "SELECT COUNT(*) FROM stream_token_audit").await;
    let parked = kinds.iter().filter(|kind| kind.outcome == Outcome::ParkedAlone).count();
    bed.wait_for_count(i64::try_from(parked).unwrap(), PARKED).await;
    let letters = by_place(dead_letters::all(&bed).await);
    assert_eq!(letters.len(), parked);
    for ((kind, place), sent) in kinds.iter().zip(places).zip(&records) {
        let found = errors(&bed, place).await;
        if kind.outcome == Outcome::Skipped {
            assert!(found.is_empty(), "{}: {found:?}", kind.name);
            continue;
        }
        assert!(found[0].1.contains(kind.error), "{}: {found:?}", kind.name);
        assert_copied(&letters, place, sent);
    }
    let reader = EventReader::new(bed.pool.clone());
    let retried = parked::retry(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(retried, Retried { tried: parked, still_parked: parked });
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_broken_session_event_is_dealt_with_as_the_runbook_says() {
    let bed = Bed::new().await;
    allow_large(&bed, &bed.topics.viewing_sessions).await;
    let running = bed.start();
    let kinds = session_kinds();
    let mut records: Vec<Record> =
        kinds.iter().map(|_| evening::record(&evening::started(clock::new_uuid()))).collect();
    for (kind, record) in kinds.iter().zip(&mut records) {
        (kind.breaks)(record);
    }
    // Those that are not broken are there twice: applied, and skipped.
    let good = records
        .iter()
        .zip(&kinds)
        .filter(|(_, kind)| kind.outcome != Outcome::ParkedAlone)
        .map(|(record, _)| record.clone());
    let twice: Vec<Record> = good.chain(records.clone()).collect();
    let places = bed.publish(&bed.topics.viewing_sessions, twice).await;
    bed.wait_for_count(2, "SELECT COUNT(*) FROM viewing_sessions").await;
    let parked = kinds.iter().filter(|kind| kind.outcome == Outcome::ParkedAlone).count();
    bed.wait_for_count(i64::try_from(parked).unwrap(), PARKED).await;
    let letters = by_place(dead_letters::all(&bed).await);
    assert_eq!(letters.len(), parked);
    let places = &places[places.len() - records.len()..];
    for ((kind, place), sent) in kinds.iter().zip(places).zip(&records) {
        let found = errors(&bed, *place).await;
        if kind.outcome != Outcome::ParkedAlone {
            assert!(found.is_empty(), "{}: {found:?}", kind.name);
            continue;
        }
        assert!(found[0].1.contains(kind.error), "{}: {found:?}", kind.name);
        assert_copied(&letters, *place, sent);
    }
    let reader = EventReader::new(bed.pool.clone());
    let retried = parked::retry(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(retried, Retried { tried: parked, still_parked: parked });
    // One whose cause is gone is applied.
    let healthy = evening::record(&evening::started(clock::new_uuid()));
    sqlx::query("UPDATE parked_events SET record_key = ?, headers = ?, payload = ? LIMIT 1")
        .bind(&healthy.key)
        .bind(json!(plain_json(&healthy.headers)))
        .bind(&healthy.payload)
        .execute(&bed.pool)
        .await
        .unwrap();
    let retried = parked::retry(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(retried, Retried { tried: parked, still_parked: parked - 1 });
    assert_eq!(bed.count("SELECT COUNT(*) FROM viewing_sessions").await, 3);
    running.stop().await;
}

/// As they are parked.
fn plain_json(headers: &OwnedHeaders) -> Vec<serde_json::Value> {
    let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8(value).unwrap());
    plain(headers)
        .into_iter()
        .map(|(name, value)| json!({ "name": name, "value": text(value) }))
        .collect()
}

#[test]
fn the_runbooks_tables_have_these_kinds_and_no_others() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbook.md");
    let runbook = std::fs::read_to_string(path).unwrap();
    let table = |heading: &str| -> Vec<(String, String)> {
        let (_, rest) = runbook.split_once(heading).expect("the table is there");
        let rows = rest.lines().skip_while(|line| !line.starts_with('|')).skip(2);
        rows.take_while(|line| line.starts_with('|'))
            .map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                (cells[1].to_owned(), cells[2].to_owned())
            })
            .collect()
    };
    let expected = |kinds: Vec<Kind>| -> Vec<(String, String)> {
        let outcome = |kind: &Kind| match kind.outcome {
            Outcome::ParkedWithItsMovie => "parked, with its movie's later events",
            Outcome::ParkedAlone => "parked alone",
            Outcome::Skipped => "skipped",
            Outcome::Applied => "applied",
        };
        kinds.iter().map(|kind| (kind.name.to_owned(), outcome(kind).to_owned())).collect()
    };
    assert_eq!(table("In `marquee.movies.v1`:"), expected(movie_kinds()));
    assert_eq!(table("`marquee.stream-tokens.v1`, where"), expected(token_kinds()));
    assert_eq!(table("`marquee.viewing-sessions.v1`, where"), expected(session_kinds()));
}
