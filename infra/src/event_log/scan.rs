//! Reading a part of the log, page by page, so that nothing can be missing from it unnoticed: what a
//! filter leaves out has been looked at, too.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use sqlx::{MySqlConnection, Row, mysql::MySqlRow};

use super::{
    EventLogError, EventReader, RecordedEvent,
    reader::{COLUMNS, check_contiguous, decode_all, head},
};

/// How many positions one page looks at for events of the types that are wanted. It bounds how long
/// one statement takes where few are.
const SCANNED_PER_PAGE: u64 = 10_000;

/// Which events are wanted. Empty lists want all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// `marquee.movie.MovieShown.v1`, or without the version for all versions of it.
    pub types: Vec<String>,
    pub movies: Vec<MovieId>,
}

/// Events in order of their positions.
#[derive(Debug, Clone)]
pub struct EventPage {
    pub events: Vec<RecordedEvent>,
    /// Nothing else that is wanted is up to here: where the next page begins. The log's head, or
    /// `up_to`, when there is no more.
    pub scanned_to: u64,
}

impl EventFilter {
    fn wants_type(&self, event_type: &str) -> bool {
        let name = event_type.rsplit_once(".v").map_or(event_type, |(name, _)| name);
        self.types.is_empty()
            || self.types.iter().any(|wanted| wanted == event_type || wanted == name)
    }
}

impl EventReader {
    /// At most `limit` of the events that `filter` wants, after position `after`, up to and with
    /// `up_to` or the log's head, whichever comes first. The page may be empty and yet not the last:
    /// `scanned_to` tells.
    ///
    /// A position that is missing among those looked at is an error. With `filter.movies` these are
    /// not all: there each movie's events are counted, and one missing among them is an error.
    pub async fn read_filtered(
        &self,
        after: u64,
        up_to: Option<u64>,
        filter: &EventFilter,
        limit: u32,
    ) -> Result<EventPage, EventLogError> {
        let mut connection = self.acquire().await?;
        // Events are inserted before the head moves over them, in one transaction: up to here all
        // of them are to be seen.
        let end = head(&mut *connection).await?.min(up_to.unwrap_or(u64::MAX));
        if after >= end || limit == 0 {
            return Ok(EventPage { events: Vec::new(), scanned_to: after });
        }
        if !filter.movies.is_empty() {
            return of_movies(&mut connection, after, end, filter, limit).await;
        }
        if !filter.types.is_empty() {
            return of_types(&mut connection, after, end, filter, limit).await;
        }
        let end = end.min(after.saturating_add(limit.into()));
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position"
        );
        let rows = sqlx::query(&sql).bind(after).bind(end).fetch_all(&mut *connection).await?;
        let events = decode_all(&rows)?;
        check_complete(after, end, events.iter().map(|event| event.position))?;
        Ok(EventPage { events, scanned_to: end })
    }

    /// The position that `time` falls behind: the event there was recorded at or before `time` (or
    /// it is 0, before the first), the one after it later (or there is none).
    ///
    /// Positions are in the order of commits, and times come from the clocks of whoever appended.
    /// Where clocks differ, there may be several such positions, all of them among events that were
    /// recorded within that difference of `time`; this is one of them.
    pub async fn position_at(&self, time: DateTime<Utc>) -> Result<u64, EventLogError> {
        let mut connection = self.acquire().await?;
        let (mut at_or_before, mut later) = (0, head(&mut *connection).await? + 1);
        while later - at_or_before > 1 {
            let middle = at_or_before + (later - at_or_before) / 2;
            let recorded_at: Option<DateTime<Utc>> =
                sqlx::query_scalar("SELECT recorded_at FROM events WHERE position = ?")
                    .bind(middle)
                    .fetch_optional(&mut *connection)
                    .await?;
            let missing = EventLogError::Corrupt { expected: middle, found: 0 };
            if recorded_at.ok_or(missing)? <= time {
                at_or_before = middle;
            } else {
                later = middle;
            }
        }
        Ok(at_or_before)
    }
}

/// Looks at a stretch of the log, and proves by counting that no position of it is missing.
async fn of_types(
    connection: &mut MySqlConnection,
    after: u64,
    end: u64,
    filter: &EventFilter,
    limit: u32,
) -> Result<EventPage, EventLogError> {
    let end = end.min(after.saturating_add(SCANNED_PER_PAGE));
    let types = placeholders(filter.types.len());
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? \
         AND (event_type IN ({types}) OR SUBSTRING_INDEX(event_type, '.v', 1) IN ({types})) \
         ORDER BY position LIMIT ?"
    );
    let mut query = sqlx::query(&sql).bind(after).bind(end);
    for wanted in filter.types.iter().chain(&filter.types) {
        query = query.bind(wanted);
    }
    let events = decode_all(&query.bind(limit).fetch_all(&mut *connection).await?)?;
    let scanned_to = scanned_to(&events, limit, end);
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM events WHERE position > ? AND position <= ?")
            .bind(after)
            .bind(scanned_to)
            .fetch_one(&mut *connection)
            .await?;
    if u64::try_from(count) != Ok(scanned_to - after) {
        let sql =
            "SELECT position FROM events WHERE position > ? AND position <= ? ORDER BY position";
        let positions: Vec<u64> = sqlx::query_scalar(sql)
            .bind(after)
            .bind(scanned_to)
            .fetch_all(&mut *connection)
            .await?;
        check_complete(after, scanned_to, positions.into_iter())?;
    }
    Ok(EventPage { events, scanned_to })
}

/// Reads all events of the movies by their index; types are looked at afterwards, so that each
/// movie's sequence proves that none is missing.
async fn of_movies(
    connection: &mut MySqlConnection,
    after: u64,
    end: u64,
    filter: &EventFilter,
    limit: u32,
) -> Result<EventPage, EventLogError> {
    let movies: HashSet<MovieId> = filter.movies.iter().copied().collect();
    let ids: Vec<String> = movies.iter().map(ToString::to_string).collect();
    let wanted = placeholders(ids.len());

    // Without the hint, MySQL may rather walk along the positions until `limit` are found: for a
    // movie with few events, through the whole log.
    let sql = format!(
        "SELECT {COLUMNS} FROM events FORCE INDEX (events_by_aggregate) \
         WHERE aggregate_type = 'movie' AND aggregate_id IN ({wanted}) \
         AND position > ? AND position <= ? ORDER BY position LIMIT ?"
    );
    let query = ids.iter().fold(sqlx::query(&sql), sqlx::query::Query::bind);
    let query = query.bind(after).bind(end).bind(limit);
    let mut events = decode_all(&query.fetch_all(&mut *connection).await?)?;
    let scanned_to = scanned_to(&events, limit, end);

    let mut versions = HashMap::<MovieId, u64>::new();
    if after > 0 && !events.is_empty() {
        let sql = format!(
            "SELECT aggregate_id, MAX(sequence) AS version FROM events \
             WHERE aggregate_type = 'movie' AND aggregate_id IN ({wanted}) AND position <= ? \
             GROUP BY aggregate_id"
        );
        let query = ids.iter().fold(sqlx::query(&sql), sqlx::query::Query::bind);
        for row in query.bind(after).fetch_all(&mut *connection).await? {
            let (movie_id, version) = version(&row)?;
            versions.insert(movie_id, version);
        }
    }
    for event in &events {
        let version = versions.entry(event.movie_id).or_default();
        check_contiguous(*version + 1, std::iter::once(event.sequence))?;
        *version = event.sequence;
    }
    events.retain(|event| filter.wants_type(&event.event_type));
    Ok(EventPage { events, scanned_to })
}

fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn version(row: &MySqlRow) -> Result<(MovieId, u64), sqlx::Error> {
    let decode = |error| sqlx::Error::Decode(error);
    let movie_id: String = row.try_get("aggregate_id")?;
    let version: i64 = row.try_get("version")?;
    Ok((
        movie_id.parse().map_err(|error: uuid::Error| decode(error.into()))?,
        version.try_into().map_err(|error: std::num::TryFromIntError| decode(error.into()))?,
    ))
}

/// A page that is full ends with its last event.
fn scanned_to(events: &[RecordedEvent], limit: u32, end: u64) -> u64 {
    match events.last() {
        Some(last) if events.len() >= limit as usize => last.position,
        _ => end,
    }
}

/// `positions` are all from `after` to `end`.
fn check_complete(
    after: u64,
    end: u64,
    positions: impl ExactSizeIterator<Item = u64>,
) -> Result<(), EventLogError> {
    let count = positions.len() as u64;
    check_contiguous(after + 1, positions)?;
    if after + count < end {
        return Err(EventLogError::Corrupt { expected: after + count + 1, found: 0 });
    }
    Ok(())
}
