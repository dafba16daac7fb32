//! What happens in viewing sessions, made up.

use chrono::{DateTime, TimeDelta, Utc};
use marquee_domain::{
    MovieId, UserId, ViewingSessionId,
    viewing_session::{
        DeviceType, EndReason, Ended, ErrorReported, PlayerErrorCode, PlayerState, Progressed,
        Started, ViewingSession, ViewingSessionEvent as Event, WatchedRange,
    },
};
use marquee_infra::{
    clock,
    kafka::{cloud_event::QUERY_API, viewing_session::fact},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::bed::{Bed, Record};

pub fn started(session_id: Uuid) -> Event {
    Event::ViewingSessionStarted(Started {
        session_id: ViewingSessionId::new(session_id),
        movie_id: MovieId::new(clock::new_uuid()),
        token_id: Some(clock::new_uuid()),
        device_type: DeviceType::Tv,
        started_at: clock::now(),
        duration_ms: 600_000,
        heartbeat_seconds: 300,
        viewer_id: Some(UserId::new(clock::new_uuid())),
        anonymous_id: None,
    })
}

/// The session's viewer was heard of then.
pub fn heartbeat(session_id: Uuid, sequence: u64, at: DateTime<Utc>) -> Event {
    Event::ViewingSessionProgressed(Progressed {
        session_id: ViewingSessionId::new(session_id),
        sequence,
        occurred_at: at,
        state: Some(PlayerState::Playing),
        position_ms: None,
        watched: Vec::new(),
        cmcd: None,
    })
}

/// A whole session, different for each `number`.
pub fn evening(number: u64) -> Vec<Event> {
    let session_id = ViewingSessionId::new(clock::new_uuid());
    let start = started(session_id.uuid());
    let at = |n: u64| clock::now() + TimeDelta::seconds(i64::try_from(n * 10).expect("small"));
    let mut events = vec![start];
    let beats = 5 + number % 20;
    for sequence in 1..=beats {
        // Some seconds are watched twice, some never.
        let from_ms = (sequence - 1) * 10_000 + (number % 3) * 1_500;
        let watched = vec![WatchedRange { from_ms, to_ms: from_ms + 8_000 + (number % 5) * 1_000 }];
        events.push(if sequence % 7 == 3 {
            Event::PlayerErrorReported(ErrorReported {
                session_id,
                sequence,
                occurred_at: at(sequence),
                code: PlayerErrorCode::parse(&format!("e{}", number % 4)).expect("a code"),
                fatal: false,
                position_ms: Some(from_ms),
                cmcd: None,
            })
        } else {
            Event::ViewingSessionProgressed(Progressed {
                session_id,
                sequence,
                occurred_at: at(sequence),
                state: PlayerState::ALL.get(usize::try_from(sequence % 6).expect("small")).copied(),
                position_ms: Some(from_ms),
                watched,
                cmcd: None,
            })
        });
    }
    if !number.is_multiple_of(3) {
        events.push(Event::ViewingSessionEnded(Ended {
            session_id,
            sequence: beats + 1,
            occurred_at: at(beats + 1),
            reason: EndReason::ALL[usize::try_from(number % 3).expect("small")],
            position_ms: None,
            watched: Vec::new(),
            cmcd: None,
        }));
    }
    events
}

pub fn record(event: &Event) -> Record {
    let fact = fact(event, QUERY_API, None).expect("an event is JSON");
    Record {
        key: Some(fact.key.into_bytes()),
        payload: Some(fact.payload),
        headers: fact.event.to_headers(),
    }
}

pub async fn publish(bed: &Bed, events: &[Event]) {
    let records = events.iter().map(record).collect();
    bed.publish(&bed.topics.viewing_sessions, records).await;
}

/// All rows' folds, as JSON, by session.
pub async fn folds(bed: &Bed) -> Vec<(String, String)> {
    let rows: Vec<(String, Json<ViewingSession>)> = sqlx::query_as(
        "SELECT CONVERT(session_id USING utf8mb4), fold FROM viewing_sessions ORDER BY session_id",
    )
    .fetch_all(&bed.pool)
    .await
    .expect("rows can be read");
    let text = |fold: &ViewingSession| serde_json::to_string(fold).expect("a fold is JSON");
    rows.into_iter().map(|(id, Json(fold))| (id, text(&fold))).collect()
}

/// What the events add up to, without a projector.
pub fn expected<'a>(evenings: impl IntoIterator<Item = &'a Vec<Event>>) -> Vec<(String, String)> {
    let mut folds: Vec<(String, String)> = evenings
        .into_iter()
        .map(|events| {
            let mut session = ViewingSession::default();
            for event in events {
                session.apply(event);
            }
            let json = serde_json::to_string(&session).expect("a fold is JSON");
            (events[0].session_id().to_string(), json)
        })
        .collect();
    folds.sort();
    folds
}
