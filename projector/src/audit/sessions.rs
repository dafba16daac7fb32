//! The table of viewing sessions against its topic: every event that was read is in its session's row,
//! and a row's columns are what its events add up to.
//!
//! To add an event that is there already changes nothing: that is how it is seen, event by event, without
//! a session in memory. What is in a row and in no event is not seen: events are kept for a while only.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context;
use marquee_domain::{
    ViewingSessionId,
    viewing_session::{ViewingSession, ViewingSessionEvent, decode},
};
use marquee_infra::kafka::ClientSettings;
use sqlx::{FromRow, MySqlPool, QueryBuilder, types::Json};

use super::{
    Progress,
    finding::{Findings, Kind},
    report::LookedAt,
    scan::{Record, Scan},
};
use crate::{
    projection::Projection,
    sql,
    viewing_sessions::{Derived, ViewingSessions},
};

const PAGE_ROWS: u32 = 500;

/// A row's `fold`, and the columns that follow from it.
#[derive(FromRow)]
struct SessionRow {
    session_id: String,
    fold: Json<serde_json::Value>,
    #[sqlx(flatten)]
    derived: Derived,
}

const SELECT: &str = "SELECT CONVERT(session_id USING utf8mb4) AS session_id, fold,
     CONVERT(movie_id USING utf8mb4) AS movie_id,
     CONVERT(device_type USING utf8mb4) AS device_type, started_at,
     CONVERT(viewer_id USING utf8mb4) AS viewer_id,
     CONVERT(anonymous_id USING utf8mb4) AS anonymous_id,
     CONVERT(token_id USING utf8mb4) AS token_id, ended_at,
     CONVERT(end_reason USING utf8mb4) AS end_reason, completion_percent, watched_seconds,
     player_errors, has_errors, CONVERT(player_state USING utf8mb4) AS player_state,
     last_seen_at, times_out_at
     FROM viewing_sessions ";

pub async fn audit(
    pool: &MySqlPool,
    client: &ClientSettings,
    topic: &str,
    findings: &mut Findings,
    looked_at: &mut LookedAt,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    events(pool, client, topic, findings, looked_at, progress)
        .await
        .context("viewing sessions can't be compared")?;
    rows(pool, findings, looked_at, progress).await.context("viewing sessions can't be compared")
}

/// Every event before the checkpoints is in its row.
async fn events(
    pool: &MySqlPool,
    client: &ClientSettings,
    topic: &str,
    findings: &mut Findings,
    looked_at: &mut LookedAt,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    // Before the topic is read: what lies behind them is only on its way.
    let checkpoints: BTreeMap<i32, i64> = sqlx::query_as(
        "SELECT kafka_partition, next_offset FROM projection_checkpoints
         WHERE projection = ? AND topic = ?",
    )
    .bind(ViewingSessions::NAME)
    .bind(topic)
    .fetch_all(pool)
    .await?
    .into_iter()
    .collect();
    let mut scan = Scan::start(client, topic).await?;
    progress.begin("viewing sessions' events", scan.expected);
    while let Some(records) = scan.next().await? {
        progress.moved(records.len());
        let read: Vec<(&Record, Option<ViewingSessionEvent>)> = records
            .iter()
            .filter(|record| checkpoints.get(&record.partition) > Some(&record.offset))
            .map(|record| (record, event_of(record)))
            .collect();
        looked_at.session_events += read.len() as u64;
        let ids: HashSet<String> = read
            .iter()
            .filter_map(|(_, event)| Some(event.as_ref()?.session_id().to_string()))
            .collect();
        let folds = folds(pool, &ids.into_iter().collect::<Vec<_>>()).await?;
        for (record, event) in read {
            let found = match event {
                None => Some((Kind::SessionLacks, "it can't be read".to_owned())),
                Some(event) => missing(&event, &folds),
            };
            if let Some((kind, detail)) = found
                && !is_parked(pool, topic, record).await?
            {
                let Record { partition, offset, .. } = record;
                let detail = format!("partition {partition}, offset {offset}: {detail}");
                findings.add(kind, None, detail);
            }
        }
    }
    Ok(())
}

fn event_of(record: &Record) -> Option<ViewingSessionEvent> {
    let about = record.about.as_ref().ok()?;
    decode(&about.event_type, record.value.as_deref()?).ok()
}

fn missing(
    event: &ViewingSessionEvent,
    folds: &HashMap<ViewingSessionId, ViewingSession>,
) -> Option<(Kind, String)> {
    let session_id = event.session_id();
    let Some(fold) = folds.get(&session_id) else {
        return Some((Kind::SessionMissing, format!("session {session_id}")));
    };
    let mut with_it = fold.clone();
    with_it.apply(event);
    (with_it != *fold).then(|| (Kind::SessionLacks, format!("event {}", event.event_id())))
}

async fn folds(
    pool: &MySqlPool,
    ids: &[String],
) -> anyhow::Result<HashMap<ViewingSessionId, ViewingSession>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut select = QueryBuilder::new(
        "SELECT CONVERT(session_id USING utf8mb4) AS session_id, fold FROM viewing_sessions
         WHERE session_id IN ",
    );
    sql::push_list(&mut select, ids);
    let rows: Vec<(String, Json<serde_json::Value>)> =
        select.build_query_as().fetch_all(pool).await?;
    // A row that can't be read has no event in it.
    let readable = |(id, Json(fold)): (String, Json<serde_json::Value>)| {
        Some((id.parse().ok()?, serde_json::from_value(fold).unwrap_or_default()))
    };
    Ok(rows.into_iter().filter_map(readable).collect())
}

async fn is_parked(pool: &MySqlPool, topic: &str, record: &Record) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM parked_events
         WHERE projection = ? AND topic = ? AND kafka_partition = ? AND kafka_offset = ?)",
    )
    .bind(ViewingSessions::NAME)
    .bind(topic)
    .bind(record.partition)
    .bind(record.offset)
    .fetch_one(pool)
    .await
}

/// Every row's columns follow from its fold.
async fn rows(
    pool: &MySqlPool,
    findings: &mut Findings,
    looked_at: &mut LookedAt,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    progress.begin("viewing sessions", 0);
    let page = format!("{SELECT} WHERE session_id > ? ORDER BY session_id LIMIT ?");
    let mut after = String::new();
    loop {
        let rows: Vec<SessionRow> =
            sqlx::query_as(&page).bind(&after).bind(PAGE_ROWS).fetch_all(pool).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.session_id);
        progress.moved(rows.len());
        looked_at.sessions += rows.len() as u64;
        for row in rows {
            let SessionRow { session_id, fold: Json(fold), derived } = row;
            match serde_json::from_value::<ViewingSession>(fold) {
                Ok(session) if Derived::from(&session) == derived => {}
                Ok(_) => {
                    findings.add(Kind::SessionDiffers, None, format!("session {session_id}"));
                }
                Err(error) => {
                    let detail = format!("session {session_id}: {error}");
                    findings.add(Kind::SessionDiffers, None, detail);
                }
            }
        }
    }
}
