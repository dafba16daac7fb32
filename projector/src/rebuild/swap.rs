//! Putting a set of tables in the place of the live one, all tables in one statement, so that nothing
//! is lost, applied twice, or shown older than before. Why that holds: docs/adr/0013.
//!
//! All of it is done by one connection that holds the locks. Whenever it ends, MySQL lets go of them,
//! and either everything was renamed or nothing.

use std::time::Duration;

use marquee_infra::{event_log::EventFilter, mysql};
use sqlx::{Connection, MySqlConnection};
use tokio::time::{sleep, timeout};

use super::{
    error::RebuildError,
    fill::Filler,
    guard,
    session::{IDLE_SECONDS, Session},
    sets,
};
use crate::{
    catalog::{Catalog, TABLES, TableSet},
    projection::Projection,
};

/// While it waits for the locks, everybody else waits behind it: a second is as little as MySQL can.
const LOCK_WAIT_SECONDS: u64 = 1;
const LONGEST_HOLD: Duration = Duration::from_secs(20);
const MAX_ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);
/// Events that may be applied under the locks. With more, they are let go of.
const MAX_EVENTS: u64 = 2_000;

/// The candidate is filled to the log's end, and becomes the live set. The position up to which it is.
pub async fn swap(filler: &mut Filler<'_>) -> Result<u64, RebuildError> {
    let mut checked = None;
    for _ in 0..MAX_ATTEMPTS {
        filler.fill(None).await?;
        let mut connection = filler.session.pool.acquire().await?;
        let generation = generation(&mut connection, filler.session).await?;
        drop(connection);
        if checked != Some(generation) {
            guard::bring_forward(filler).await?;
            checked = Some(generation);
        }
        match timeout(LONGEST_HOLD, attempt(filler, generation)).await {
            Ok(Ok(true)) => return Ok(filler.contents.position),
            Ok(Ok(false)) => {}
            outcome => {
                // If the answer to the rename was lost, the tables tell.
                if is_live(filler.session).await? {
                    return Ok(filler.contents.position);
                }
                return Err(outcome.map_or(RebuildError::Busy, |outcome| {
                    outcome.err().unwrap_or(RebuildError::Busy)
                }));
            }
        }
        sleep(PAUSE).await;
    }
    Err(RebuildError::Busy)
}

/// False: the locks were not to be had, or there was too much to do under them.
async fn attempt(filler: &mut Filler<'_>, checked: u64) -> Result<bool, RebuildError> {
    let session = filler.session;
    let has_previous = sets::contents(&session.pool, TableSet::Previous).await?.is_some();
    // Never given back to the pool: it ends with its locks.
    let mut connection = session.pool.acquire().await?.detach();
    if !lock(&mut connection, filler.set, has_previous).await? {
        return Ok(false);
    }
    // Somebody applied parked events, or mended a movie, behind the back of what was checked.
    if generation(&mut connection, session).await? != checked {
        return Ok(false);
    }
    // Whatever the live tables have was in the log before, and from here on they stand still.
    let head = session.log.head().await?;
    if head.saturating_sub(filler.contents.position) > MAX_EVENTS {
        return Ok(false);
    }
    while filler.contents.position < head {
        let after = filler.contents.position;
        let limit = u32::try_from(head - after).unwrap_or(u32::MAX);
        let all = EventFilter::default();
        let page = session.log.read_filtered(after, Some(head), &all, limit).await?;
        filler.apply(&mut connection, page).await?;
    }
    guard::check_broken(&mut connection, filler).await?;
    note_where_live_stands(&mut connection, session).await?;
    raise_generation(&mut connection, session).await?;
    // Commits what was written so far.
    sqlx::raw_sql(&rename(filler.set, has_previous)).execute(&mut connection).await?;
    sqlx::raw_sql("UNLOCK TABLES").execute(&mut connection).await?;
    // Everything is done; a connection that can't be closed in order ends by itself.
    let _ = connection.close().await;
    Ok(true)
}

/// Waits for every transaction that reads or writes the live tables or their checkpoints, and keeps
/// out all others.
async fn lock(
    connection: &mut MySqlConnection,
    candidate: TableSet,
    has_previous: bool,
) -> Result<bool, RebuildError> {
    // A transaction would be begun by a statement that lets go of the locks.
    let settings = format!(
        "SET SESSION autocommit = 0, SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS},
             SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS},
             SESSION wait_timeout = {IDLE_SECONDS}"
    );
    sqlx::raw_sql(&settings).execute(&mut *connection).await?;
    let mut tables = vec!["projection_checkpoints".to_owned()];
    tables.extend(TableSet::Live.names());
    tables.extend(candidate.names());
    if has_previous && candidate != TableSet::Previous {
        tables.extend(TableSet::Previous.names());
    }
    let tables: Vec<String> = tables.iter().map(|table| format!("{table} WRITE")).collect();
    let sql = format!("LOCK TABLES {}", tables.join(", "));
    match sqlx::raw_sql(&sql).execute(connection).await {
        Ok(_) => Ok(true),
        Err(error) if mysql::gave_way(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Rises whenever live rows are written at a position that their checkpoint has passed.
async fn generation(
    connection: &mut MySqlConnection,
    session: &Session,
) -> Result<u64, RebuildError> {
    let sum = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(generation), 0) AS UNSIGNED)
         FROM projection_checkpoints WHERE projection = ? AND topic = ?",
    );
    Ok(sum.bind(Catalog::NAME).bind(&session.topic).fetch_one(connection).await?)
}

/// What is live has every event up to the least of its checkpoints: where it is filled from, should it
/// be wanted back.
async fn note_where_live_stands(
    connection: &mut MySqlConnection,
    session: &Session,
) -> Result<(), RebuildError> {
    let (checkpoints, least): (i64, u64) = sqlx::query_as(
        "SELECT COUNT(*), CAST(COALESCE(MIN(position), 0) AS UNSIGNED)
         FROM projection_checkpoints WHERE projection = ? AND topic = ?",
    )
    .bind(Catalog::NAME)
    .bind(&session.topic)
    .fetch_one(&mut *connection)
    .await?;
    // A partition without a checkpoint was never read.
    let position = if checkpoints < i64::from(session.partitions) { 0 } else { least };
    sqlx::query("UPDATE catalog_contents SET position = ? WHERE id = 1")
        .bind(position)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whoever follows the tables by position reads them anew. Nobody can see it before the swap.
async fn raise_generation(
    connection: &mut MySqlConnection,
    session: &Session,
) -> Result<(), RebuildError> {
    sqlx::query(
        "UPDATE projection_checkpoints SET generation = generation + 1
         WHERE projection = ? AND topic = ?",
    )
    .bind(Catalog::NAME)
    .bind(&session.topic)
    .execute(connection)
    .await?;
    Ok(())
}

/// One statement: all of it or nothing, as MySQL 8 does it.
fn rename(candidate: TableSet, has_previous: bool) -> String {
    let (live, previous, retired) = (TableSet::Live, TableSet::Previous, TableSet::Retired);
    let steps: Vec<(TableSet, TableSet)> = if candidate == previous {
        // They change places.
        vec![(live, retired), (previous, live), (retired, previous)]
    } else {
        let retire = has_previous.then_some((previous, retired));
        retire.into_iter().chain([(live, previous), (candidate, live)]).collect()
    };
    let renames: Vec<String> = steps
        .iter()
        .flat_map(|(from, to)| {
            TABLES.map(|table| format!("{} TO {}", from.name(table), to.name(table)))
        })
        .collect();
    format!("RENAME TABLE {}", renames.join(", "))
}

/// Whether this run's set is the live one.
async fn is_live(session: &Session) -> Result<bool, RebuildError> {
    let live = sets::contents(&session.pool, TableSet::Live).await?;
    Ok(live.is_some_and(|contents| contents.epoch == session.epoch))
}
