//! Keeps the catalog up with what the projector writes.
//!
//! A cheap look at the checkpoints tells which partitions moved; what changed in them is read by
//! position, from one consistent view of the tables. While MySQL is away, the last snapshot serves.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use marquee_infra::{clock, mysql};
use sqlx::{Connection, MySqlPool};
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Catalog, CatalogMovie, Snapshot,
    rows::{self, Checkpoint, MovieRows, Span, StaleRow},
    snapshot::{Change, Stale},
};

/// A refresh that takes longer has lost MySQL. Reading everything takes seconds at most.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a look at the checkpoints.
const POLL_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct FollowerSettings {
    /// The topic of movie events, whose checkpoints are looked at.
    pub topic: String,
    pub poll_interval: Duration,
}

#[derive(Debug)]
pub struct Follower {
    pool: MySqlPool,
    settings: FollowerSettings,
    catalog: Arc<Catalog>,
    /// The checkpoints that the current snapshot is up with; `None` before the first one.
    seen: Option<Checkpoints>,
    following: watch::Sender<Following>,
}

/// How the follower fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Following {
    Well,
    /// MySQL is away: what is in memory serves meanwhile.
    Away,
    /// MySQL answers, and yet the read models cannot be read: this will not pass by itself.
    Stuck,
}

type Checkpoints = BTreeMap<i32, Checkpoint>;

#[derive(Debug, Error)]
enum FollowError {
    #[error("MySQL cannot be read")]
    Read(#[from] sqlx::Error),
    #[error("MySQL does not answer")]
    TimedOut(#[from] Elapsed),
}

impl FollowError {
    fn means(&self) -> Following {
        match self {
            Self::Read(error) if mysql::is_away(error) => Following::Away,
            Self::Read(_) => Following::Stuck,
            Self::TimedOut(_) => Following::Away,
        }
    }
}

impl Follower {
    pub fn new(pool: MySqlPool, settings: FollowerSettings, catalog: Arc<Catalog>) -> Self {
        let (following, _) = watch::channel(Following::Well);
        Self { pool, settings, catalog, seen: None, following }
    }

    /// Closed when nobody follows any more.
    pub fn following(&self) -> watch::Receiver<Following> {
        self.following.subscribe()
    }

    /// Until `stop`. A failure is logged when it begins and when it ends.
    pub async fn run(mut self, stop: CancellationToken) {
        let fresh = metrics::gauge!("marquee_catalog_fresh_timestamp_seconds");
        let mut failing = false;
        loop {
            let outcome = tokio::select! {
                outcome = self.refresh() => outcome,
                () = stop.cancelled() => return,
            };
            match &outcome {
                Ok(()) => {
                    fresh.set(now_seconds());
                    if failing {
                        tracing::info!("the catalog follows its read models again");
                    }
                }
                Err(error) if !failing => {
                    let loaded = self.seen.is_some();
                    let cause = std::error::Error::source(error).map(ToString::to_string);
                    tracing::error!(%error, cause, loaded, "the catalog cannot follow");
                }
                Err(_) => {}
            }
            failing = outcome.is_err();
            self.following
                .send_replace(outcome.map_or_else(|error| error.means(), |()| Following::Well));
            tokio::select! {
                () = sleep(self.settings.poll_interval) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), FollowError> {
        if self.seen.is_some() {
            let now = timeout(POLL_TIMEOUT, async {
                let mut connection = self.pool.acquire().await?;
                rows::checkpoints(&mut connection, &self.settings.topic).await
            })
            .await??;
            if self.seen.as_ref() == Some(&by_partition(now)) {
                return Ok(());
            }
        }
        match timeout(REFRESH_TIMEOUT, self.read()).await? {
            // The tables were being swapped: MySQL has this one give way.
            Err(FollowError::Read(error)) if mysql::gave_way(&error) => {
                timeout(REFRESH_TIMEOUT, self.read()).await?
            }
            outcome => outcome,
        }
    }

    /// Reads what changed, or everything where positions cannot tell.
    async fn read(&mut self) -> Result<(), FollowError> {
        let mut connection = self.pool.acquire().await?;
        // The movies and what belongs to them are of one moment: that of the first read. The tables
        // can't be swapped between it and the others, because whoever swaps them waits for all that
        // have read the checkpoints.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(&mut *connection)
            .await?;
        let mut view = connection.begin_with("START TRANSACTION READ ONLY").await?;
        let now = by_partition(rows::checkpoints(&mut view, &self.settings.topic).await?);
        let current = self.catalog.snapshot();

        let snapshot = match (&*current, &self.seen) {
            (Some(current), Some(seen)) if can_follow(seen, &now) => {
                let mut changes = Vec::new();
                let mut spans = moved(seen, &now);
                while !spans.is_empty() {
                    let (chunk, left) = rows::changed_in(&mut view, &spans).await?;
                    changes.extend(chunk.iter().filter_map(change));
                    spans = left;
                }
                current.with(changes, position(&now).max(current.position()))
            }
            _ => {
                let mut changes = Vec::new();
                let mut after = String::new();
                loop {
                    let chunk = rows::from_id(&mut view, &after).await?;
                    let Some(last) = chunk.last() else { break };
                    after = last.movie.movie_id.to_string();
                    changes.extend(chunk.iter().filter_map(change));
                }
                let snapshot = Snapshot::of(changes, position(&now));
                tracing::info!(
                    movies = snapshot.len(),
                    position = snapshot.position(),
                    "catalog read"
                );
                snapshot
            }
        };
        let stale = rows::stale(&mut view, &self.settings.topic).await?;
        let snapshot = snapshot.with_stale(stale.iter().filter_map(stale_since).collect::<Stale>());
        view.commit().await?;

        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        {
            metrics::gauge!("marquee_catalog_movies").set(snapshot.len() as f64);
            metrics::gauge!("marquee_catalog_position").set(snapshot.position() as f64);
        }
        drop(current);
        self.catalog.publish(snapshot);
        self.seen = Some(now);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn now_seconds() -> f64 {
    clock::now().timestamp_millis() as f64 / 1e3
}

fn by_partition(checkpoints: Vec<Checkpoint>) -> Checkpoints {
    checkpoints.into_iter().map(|one| (one.kafka_partition, one)).collect()
}

fn position(checkpoints: &Checkpoints) -> u64 {
    checkpoints.values().map(|one| one.position).max().unwrap_or(0)
}

/// What became newer between two looks, in order of the partitions.
fn moved(seen: &Checkpoints, now: &Checkpoints) -> Vec<Span> {
    now.iter()
        .map(|(partition, now)| Span {
            partition: *partition,
            after: seen.get(partition).map_or(0, |seen| seen.position),
            to: now.position,
        })
        .filter(|span| span.to > span.after)
        .collect()
}

/// Whether positions tell what changed: not when a partition went back or away, nor when rows were
/// changed out of order, which raises the generation.
fn can_follow(seen: &Checkpoints, now: &Checkpoints) -> bool {
    seen.iter().all(|(partition, seen)| {
        now.get(partition)
            .is_some_and(|now| now.generation == seen.generation && now.position >= seen.position)
    })
}

fn stale_since(row: &StaleRow) -> Option<(MovieId, DateTime<Utc>)> {
    Some((row.movie_id.parse().ok()?, row.since.and_utc()))
}

/// A row that cannot be read is a bug of the projector's; the other movies are served.
fn change(rows: &MovieRows) -> Option<Change> {
    if rows.movie.removed {
        let movie_id = rows.movie.movie_id.parse().ok()?;
        return Some(Change::Removed { movie_id, version: rows.movie.version });
    }
    match CatalogMovie::from_rows(rows) {
        Ok(movie) => Some(Change::Listed(Arc::new(movie))),
        Err(error) => {
            tracing::error!(%error, "a movie is not served as it is now");
            None
        }
    }
}
