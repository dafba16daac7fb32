//! Who changed what of a movie, when, by which command: a row per event.

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use sqlx::{MySqlConnection, QueryBuilder};

use super::tables::TableSet;
use crate::{failure::Failure, sql};

const MAX_ROWS: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub version: u64,
    pub position: u64,
    pub event_type: String,
    pub command: String,
    pub actor: String,
    pub request_id: String,
    pub recorded_at: DateTime<Utc>,
    /// The event as it was recorded, JSON.
    pub payload: String,
}

/// Adds the entries. One that is there already stays as it is: an event never changes.
pub async fn write(
    tx: &mut MySqlConnection,
    set: TableSet,
    entries: &[(MovieId, &Entry)],
) -> Result<(), Failure> {
    let table = set.name("movie_history");
    for run in sql::runs(entries, MAX_ROWS) {
        let mut insert = QueryBuilder::new(format!(
            "INSERT INTO {table} (movie_id, version, position, event_type, command, actor,
                 request_id, recorded_at, payload) "
        ));
        insert.push_values(run, |mut row, (movie_id, entry)| {
            row.push_bind(movie_id.to_string())
                .push_bind(entry.version)
                .push_bind(entry.position)
                .push_bind(&entry.event_type)
                .push_bind(&entry.command)
                .push_bind(&entry.actor)
                .push_bind(&entry.request_id)
                .push_bind(entry.recorded_at)
                .push_bind(&entry.payload);
        });
        insert.push(" ON DUPLICATE KEY UPDATE movie_id = VALUES(movie_id)");
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}
