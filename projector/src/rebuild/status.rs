//! How far a rebuild is, asked of MySQL: for `projector status`, and for the service's metrics.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use metrics::gauge;
use serde::Serialize;
use sqlx::MySqlPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{session::TASK, sets};
use crate::catalog::TableSet;

const LOOK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Serialize)]
pub struct RebuildStatus {
    /// Whether a rebuild or a rollback is running.
    pub running: bool,
    /// None: no rebuild was begun, or the last one was swapped.
    pub progress: Option<RebuildProgress>,
    /// Up to where the tables of before the last swap have every event; none: there are none.
    pub rollback_from: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RebuildProgress {
    /// Rebuilt up to here.
    pub position: u64,
    /// Where the log ended when the rebuild last looked.
    pub log_head: u64,
    pub broken_movies: usize,
    pub begun_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub async fn status(pool: &MySqlPool) -> Result<RebuildStatus, sqlx::Error> {
    let rebuild = sets::contents(pool, TableSet::Rebuild).await?;
    let previous = sets::contents(pool, TableSet::Previous).await?;
    let running: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(expires_at > UTC_TIMESTAMP(6) AS SIGNED) FROM leases WHERE task = ?",
    )
    .bind(TASK)
    .fetch_optional(pool)
    .await?;
    Ok(RebuildStatus {
        running: running == Some(1),
        progress: rebuild.map(|contents| RebuildProgress {
            position: contents.position,
            log_head: contents.log_head,
            broken_movies: contents.broken.len(),
            begun_at: contents.begun_at,
            updated_at: contents.updated_at,
        }),
        rollback_from: previous.map(|contents| contents.position),
    })
}

impl fmt::Display for RebuildStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(RebuildProgress { position, log_head, broken_movies, updated_at, .. }) =
            &self.progress
        else {
            let Some(position) = self.rollback_from else { return Ok(()) };
            return writeln!(f, "\nrollback\n  possible, from position {position}");
        };
        let percent = (position * 100).checked_div(*log_head).unwrap_or(100);
        let state = if self.running { "runs" } else { "stands still: run it again to go on" };
        writeln!(f, "\nrebuild\n  {state}; position {position} of {log_head} ({percent} %)")?;
        writeln!(f, "  moved at {}, {broken_movies} movies broken", updated_at.to_rfc3339())
    }
}

/// Keeps the gauges up until the stop. A rebuild is another process, and gone before it could be asked.
pub async fn watch(pool: MySqlPool, stop: CancellationToken) {
    let position = gauge!("marquee_projector_rebuild_position");
    let log_head = gauge!("marquee_projector_rebuild_log_head");
    let running = gauge!("marquee_projector_rebuild_running");
    loop {
        match status(&pool).await {
            Ok(status) => {
                let of = |number: fn(&RebuildProgress) -> u64| {
                    status.progress.as_ref().map_or(0, number)
                };
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                {
                    position.set(of(|rebuild| rebuild.position) as f64);
                    log_head.set(of(|rebuild| rebuild.log_head) as f64);
                }
                running.set(if status.running { 1.0 } else { 0.0 });
            }
            // The consumers tell of a MySQL that is away.
            Err(error) => tracing::debug!(%error, "a rebuild's progress can't be read"),
        }
        tokio::select! {
            () = sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => return,
        }
    }
}
