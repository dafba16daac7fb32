//! What can't be decoded or applied is parked with its movie's later events; the rest goes on.

use marquee_domain::{MovieEvent, MovieId};
use marquee_infra::{event_log::EventReader, kafka::CloudEvent};
use projector::parked::{self, Discarded, Retried, Selection};
use rdkafka::message::{Header, OwnedHeaders};

use crate::{
    bed::{Bed, Record, Recorded},
    model,
    samples::Log,
};

const PARKED: &str = "SELECT COUNT(*) FROM parked_events";

type Poison = Box<dyn FnOnce(&mut Record)>;

/// A record of the movie that is like `event`, but broken.
fn broken(event: &Recorded, change: impl FnOnce(&mut Record)) -> Record {
    let mut record = event.record();
    change(&mut record);
    record
}

async fn errors(bed: &Bed, movie_id: Option<MovieId>) -> Vec<String> {
    sqlx::query_scalar("SELECT error FROM parked_events WHERE movie_id = ? ORDER BY kafka_offset")
        .bind(movie_id.map(|id| id.to_string()).unwrap_or_default())
        .fetch_all(&bed.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn poison_stops_its_movie_and_nothing_else() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let other_type = |record: &mut Record| {
        let mut event = log_event_headers(record);
        event.event_type = "marquee.movie.MovieRetitled.v2".to_owned();
        record.headers = event.to_headers();
    };
    let poisons: Vec<(&str, Poison)> = vec![
        (
            "not a marquee.movie.MovieRetitled.v1",
            Box::new(|r| r.payload = Some(b"{\"type\":".to_vec())),
        ),
        ("UTF-8", Box::new(|r| r.payload = Some(vec![0xff, 0xfe]))),
        ("no value", Box::new(|r| r.payload = None)),
        ("unknown variant", Box::new(|r| r.payload = Some(br#"{"type":"MovieEaten"}"#.to_vec()))),
        ("MovieRetitled has no version 2", Box::new(other_type)),
        ("ce_specversion is missing", Box::new(|r| r.headers = OwnedHeaders::new())),
        (
            "not a marquee.movie.MovieRetitled.v1",
            Box::new(|r| r.payload = Some(vec![b'x'; 900_000])),
        ),
    ];
    let mut expected = Vec::new();
    for (n, (error, poison)) in poisons.into_iter().enumerate() {
        let movie_id = log.create(&format!("Poisoned {n}"));
        log.retitle(movie_id, &format!("Poisoned {n}, bad"));
        log.retitle(movie_id, &format!("Poisoned {n}, late"));
        let events = log.of(movie_id);
        let records = vec![events[0].record(), broken(&events[1], poison), events[2].record()];
        bed.publish(&bed.topics.movies, records).await;
        expected.push((movie_id, error));
    }
    let healthy = log.live_a_life("Healthy");
    bed.publish_events(&log.of(healthy)).await;

    bed.wait_for_version(healthy, 9).await;
    bed.wait_for_count(2 * i64::try_from(expected.len()).unwrap(), PARKED).await;
    for (movie_id, error) in expected {
        bed.wait_for_version(movie_id, 1).await;
        let found = errors(&bed, Some(movie_id)).await;
        assert!(found[0].contains(error), "{error}: {found:?}");
        assert_eq!(found[1], "an earlier event of the movie is parked");
    }
    running.stop().await;
}

fn log_event_headers(record: &Record) -> CloudEvent {
    CloudEvent::from_headers(&record.headers).unwrap()
}

#[tokio::test]
async fn a_record_that_names_no_movie_is_parked_alone() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.create("Key");
    let event = &log.events[0];
    let bytes: &[u8] = &[0xff];
    let records = vec![
        broken(event, |r| r.key = None),
        broken(event, |r| r.key = Some(b"not an id".to_vec())),
        broken(event, |r| r.key = Some(vec![b'k'; 5_000])),
        broken(event, |r| {
            r.key = None;
            r.headers = r.headers.clone().insert(Header { key: "raw", value: Some(bytes) });
        }),
    ];
    bed.publish(&bed.topics.movies, records).await;
    bed.publish_events(&log.events).await;
    bed.wait_for_version(movie_id, 1).await;
    bed.wait_for_count(4, PARKED).await;
    assert_eq!(errors(&bed, None).await.len(), 4);
    let reader = EventReader::new(bed.pool.clone());
    let discarded = parked::discard(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(discarded, Discarded { records: 4, behind: Vec::new() });
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn a_record_that_names_no_movie_heals_by_its_place_in_the_event_log() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let known = log.create("Known");
    log.retitle(known, "Known by its place");
    let new = log.create("New");
    bed.log(&log.events).await;
    bed.publish_events(&log.events[..1]).await;
    bed.wait_for_version(known, 1).await;
    let mut records: Vec<Record> =
        log.events[1..].iter().map(|event| broken(event, |r| r.key = None)).collect();
    // What the log has there is another event.
    records.push(broken(&log.events[0], |r| {
        r.key = None;
        let about = CloudEvent { position: Some(2), ..log_event_headers(r) };
        r.headers = about.to_headers();
    }));
    bed.publish(&bed.topics.movies, records).await;
    bed.wait_for_count(3, PARKED).await;
    let reader = EventReader::new(bed.pool.clone());
    let retried = parked::retry(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(retried, Retried { tried: 3, still_parked: 1 });
    assert_eq!(model::actual(&bed).await, model::expected(&log));

    // As if it had come by the movie's own partition.
    let partition = "SELECT CAST(kafka_partition AS SIGNED) FROM catalog_movies WHERE version = 1";
    let partition = bed.count(partition).await;
    log.retitle(new, "New, and later");
    let places = bed.publish(&bed.topics.movies, vec![log.events[3].record()]).await;
    assert_eq!(i64::from(places[0].0), partition);
    bed.wait_for_version(new, 2).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn a_row_that_mysql_refuses_parks_its_movie_only() {
    let bed = Bed::new().await;
    let mut log = Log::new();
    for n in 0..10 {
        log.live_a_life(&format!("Before {n}"));
    }
    let refused = log.create("Refused");
    for n in 0..10 {
        log.live_a_life(&format!("After {n}"));
    }
    // No command can make such a title; a record can.
    let mut poisoned = log.of(refused).remove(0);
    let text = serde_json::to_string(&poisoned.event).unwrap().replace("Refused", &"x".repeat(300));
    poisoned.event = serde_json::from_str::<MovieEvent>(&text).unwrap();
    let mut events = log.events.clone();
    events
        .iter_mut()
        .filter(|event| event.movie_id == refused)
        .for_each(|event| *event = poisoned.clone());
    // All are there before it starts, so that they come in large batches.
    bed.publish_events(&events).await;
    let running = bed.start();
    bed.wait_for_count(180, "SELECT COUNT(*) FROM movie_history").await;
    bed.wait_for_count(1, PARKED).await;
    assert!(errors(&bed, Some(refused)).await[0].contains("title"));
    let mut expected = model::expected(&log);
    expected.remove(&refused.to_string());
    assert_eq!(model::actual(&bed).await, expected);
    running.stop().await;
}

#[tokio::test]
async fn retry_heals_when_the_cause_is_gone() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.live_a_life("Patience");
    // The second event is nowhere: neither in Kafka nor in the log.
    bed.publish_events(&log.events[..1]).await;
    bed.publish_events(&log.events[2..]).await;
    bed.wait_for_count(7, PARKED).await;
    assert_eq!(
        errors(&bed, Some(movie_id)).await[0],
        "event 2 of the movie is not in the event log"
    );
    let reader = EventReader::new(bed.pool.clone());
    let still = parked::retry(&bed.pool, &reader, &Selection::Movie(movie_id)).await.unwrap();
    assert_eq!(still, Retried { tried: 7, still_parked: 7 });
    assert_eq!(bed.count(PARKED).await, 7);

    bed.log(&log.events).await;
    let healed = parked::retry(&bed.pool, &reader, &Selection::Movie(movie_id)).await.unwrap();
    assert_eq!(healed, Retried { tried: 7, still_parked: 0 });
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    let generation = "SELECT CAST(MAX(generation) AS SIGNED) FROM projection_checkpoints";
    assert_eq!(bed.count(generation).await, 2);

    log.retitle(movie_id, "Patience, rewarded");
    bed.publish_events(&log.events[9..]).await;
    bed.wait_for_version(movie_id, 10).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn discard_brings_the_movie_up_to_date_from_the_event_log() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.create("Garbled");
    log.retitle(movie_id, "Garbled on the way");
    bed.log(&log.events).await;
    let garbled = broken(&log.events[1], |record| record.payload = Some(b"?".to_vec()));
    bed.publish(&bed.topics.movies, vec![log.events[0].record(), garbled]).await;
    bed.wait_for_count(1, PARKED).await;
    let parked = parked::list(&bed.pool, None).await.unwrap().records;
    let shown = parked::show(&bed.pool, parked[0].id).await.unwrap().unwrap();
    assert_eq!(shown.payload.as_deref(), Some("?"));
    assert_eq!(shown.key, Some(movie_id.to_string()));
    assert!(shown.headers.iter().any(|header| header["name"] == "ce_position"));
    let reader = EventReader::new(bed.pool.clone());
    let one = Selection::Id(parked[0].id);
    let discarded = parked::discard(&bed.pool, &reader, &one).await.unwrap();
    assert_eq!(discarded, Discarded { records: 1, behind: Vec::new() });
    assert_eq!(model::actual(&bed).await, model::expected(&log));

    log.retitle(movie_id, "Clear again");
    bed.publish_events(&log.events[2..]).await;
    bed.wait_for_version(movie_id, 3).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}

#[tokio::test]
async fn what_the_event_log_cannot_tell_either_stays_parked_as_it_was() {
    let bed = Bed::new().await;
    let running = bed.start();
    let mut log = Log::new();
    let movie_id = log.create("Tomorrow");
    log.retitle(movie_id, "Tomorrow, in a version yet to come");
    log.retitle(movie_id, "Tomorrow, parked behind it");
    bed.log(&log.events).await;
    let retyped = "UPDATE events SET event_type = ? WHERE position = 2";
    let newer = "marquee.movie.MovieRetitled.v9";
    sqlx::query(retyped).bind(newer).execute(&bed.pool).await.unwrap();
    let mut records: Vec<Record> = log.events.iter().map(Recorded::record).collect();
    let mut about = log.events[1].cloud_event();
    about.event_type = newer.to_owned();
    records[1].headers = about.to_headers();
    bed.publish(&bed.topics.movies, records).await;
    bed.wait_for_count(2, PARKED).await;
    let before = parked::list(&bed.pool, None).await.unwrap().records;

    let reader = EventReader::new(bed.pool.clone());
    let retried = parked::retry(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!(retried, Retried { tried: 2, still_parked: 2 });
    let after = parked::list(&bed.pool, None).await.unwrap().records;
    assert_eq!(format!("{after:?}"), format!("{before:?}"), "the same, and since the same time");
    let discarded = parked::discard(&bed.pool, &reader, &Selection::All).await.unwrap();
    assert_eq!((discarded.records, discarded.behind.len()), (2, 1));
    assert_eq!(discarded.behind[0].0, movie_id.to_string());
    assert!(discarded.behind[0].1.contains("has no version 9"), "{:?}", discarded.behind);
    bed.wait_for_version(movie_id, 1).await;

    // A release that knows it: here, the log tells it in the version that this one knows.
    let known = "marquee.movie.MovieRetitled.v1";
    sqlx::query(retyped).bind(known).execute(&bed.pool).await.unwrap();
    log.retitle(movie_id, "Tomorrow, today");
    bed.log(&log.events[3..]).await;
    bed.publish_events(&log.events[3..]).await;
    bed.wait_for_version(movie_id, 4).await;
    assert_eq!(model::actual(&bed).await, model::expected(&log));
    running.stop().await;
}
