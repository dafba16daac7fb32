//! Keeps the catalog up with what the projector writes.
//!
//! A cheap look at the checkpoints tells which partitions moved; what changed in them is read by
//! position, from one consistent view of the tables. While MySQL is away, the last snapshot serves.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use marquee_infra::{clock, mysql};
use sqlx::{Connection, MySqlConnection, MySqlPool};
use thiserror::Error;
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Catalog, PastLimits, Snapshot,
    movie::Renderer,
    past::{PartitionPosition, Positions},
    rows::{self, Checkpoint, MovieRows, Span, StaleRow},
    search::Index,
    snapshot::{Change, Progress, Removal},
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
    pub past: PastLimits,
}

#[derive(Debug)]
pub struct Follower {
    pool: MySqlPool,
    settings: FollowerSettings,
    catalog: Arc<Catalog>,
    /// The checkpoints that the current snapshot is up with; `None` before the first one.
    seen: Option<Checkpoints>,
    renderer: Renderer,
    /// The search index that is being made.
    indexing: Option<JoinHandle<()>>,
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
    #[error("the catalog cannot be put together")]
    Compose(#[from] JoinError),
}

impl FollowError {
    fn means(&self) -> Following {
        match self {
            Self::Read(error) if mysql::is_away(error) => Following::Away,
            Self::Read(_) | Self::Compose(_) => Following::Stuck,
            Self::TimedOut(_) => Following::Away,
        }
    }
}

impl Follower {
    pub fn new(pool: MySqlPool, settings: FollowerSettings, catalog: Arc<Catalog>) -> Self {
        let (following, _) = watch::channel(Following::Well);
        let renderer = Renderer::new();
        Self { pool, settings, catalog, seen: None, renderer, indexing: None, following }
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
        let current = self.catalog.current();

        let seen = self.seen.as_ref().filter(|seen| can_follow(seen, &now)).cloned();
        let (changes, in_order) = match (&current, seen) {
            (Some(current), Some(seen)) => {
                (self.read_changes(&mut view, current, &seen, &now).await?, true)
            }
            (current, _) => (self.read_everything(&mut view, current.as_deref()).await?, false),
        };
        let stale = rows::stale(&mut view, &self.settings.topic).await?;
        view.commit().await?;

        let progress = Progress {
            to: positions(&now),
            position: position(&now),
            in_order,
            stale: stale.iter().filter_map(stale_since).collect(),
        };
        if current.is_some() {
            self.catalog.update(|current| current.with(changes, progress));
        } else {
            // Not on a thread that others wait for: this takes a second or two.
            let limits = self.settings.past;
            let first =
                spawn_blocking(move || Snapshot::first(changes, progress, clock::now(), limits));
            self.catalog.begin(first.await?);
        }
        self.seen = Some(now);
        self.tell();
        self.index();
        Ok(())
    }

    /// What changed since it was looked at last.
    async fn read_changes(
        &mut self,
        view: &mut MySqlConnection,
        current: &Snapshot,
        seen: &Checkpoints,
        now: &Checkpoints,
    ) -> Result<Vec<Change>, FollowError> {
        let mut changes = Vec::new();
        let mut spans = moved(seen, now);
        while !spans.is_empty() {
            let (chunk, left) = rows::changed_in(view, &spans).await?;
            let read = chunk.iter().filter_map(|rows| self.change(rows, Some(current)));
            changes.extend(read.filter(|change| current.differs(change)));
            spans = left;
        }
        Ok(changes)
    }

    /// All movies, of which those that are as they are known to be are no changes.
    async fn read_everything(
        &mut self,
        view: &mut MySqlConnection,
        current: Option<&Snapshot>,
    ) -> Result<Vec<Change>, FollowError> {
        let (mut changes, mut there) = (Vec::new(), HashSet::new());
        let mut after = String::new();
        loop {
            let chunk = rows::from_id(view, &after).await?;
            let Some(last) = chunk.last() else { break };
            after = last.movie.movie_id.to_string();
            for rows in &chunk {
                there.extend(rows.movie.movie_id.parse::<MovieId>().ok());
                let change = self.change(rows, current);
                changes.extend(change.filter(|change| current.is_none_or(|it| it.differs(change))));
            }
        }
        tracing::info!(movies = there.len(), changes = changes.len(), "catalog read");
        let gone = current.into_iter().flat_map(Snapshot::movies);
        let gone = gone.filter(|movie| !there.contains(&movie.movie_id));
        changes.extend(gone.map(|movie| {
            Change::Removed(Removal {
                movie_id: movie.movie_id,
                version: movie.version,
                partition: movie.partition,
                position: movie.position,
            })
        }));
        Ok(changes)
    }

    /// A row that cannot be read is a bug of the projector's; the other movies are served.
    fn change(&mut self, rows: &MovieRows, current: Option<&Snapshot>) -> Option<Change> {
        let row = &rows.movie;
        let movie_id = row.movie_id.parse().ok()?;
        if row.removed {
            return Some(Change::Removed(Removal {
                movie_id,
                version: row.version,
                partition: row.kafka_partition,
                position: row.position,
            }));
        }
        let known = current.and_then(|current| current.get(movie_id));
        match self.renderer.movie(rows, known) {
            Ok(movie) => Some(Change::Listed(movie)),
            Err(error) => {
                tracing::error!(%error, "a movie is not served as it is now");
                None
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn tell(&self) {
        if let Some(snapshot) = self.catalog.current() {
            metrics::gauge!("marquee_catalog_movies").set(snapshot.len() as f64);
            metrics::gauge!("marquee_catalog_position").set(snapshot.position() as f64);
        }
    }

    /// Makes the search index anew when it is time, beside all else.
    fn index(&mut self) {
        let Some(snapshot) = self.catalog.current() else { return };
        let running = self.indexing.as_ref().is_some_and(|indexing| !indexing.is_finished());
        if running || !snapshot.search().wants_index() {
            return;
        }
        let catalog = Arc::clone(&self.catalog);
        self.indexing = Some(spawn_blocking(move || {
            let index = Arc::new(Index::build(snapshot.movies()));
            catalog.update(|current| current.with_index(index, snapshot.serial()));
        }));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn now_seconds() -> f64 {
    clock::now().timestamp_millis() as f64 / 1e3
}

fn by_partition(checkpoints: Vec<Checkpoint>) -> Checkpoints {
    checkpoints.into_iter().map(|one| (one.kafka_partition, one)).collect()
}

fn positions(checkpoints: &Checkpoints) -> Positions {
    Positions::new(checkpoints.values().map(|one| PartitionPosition {
        partition: one.kafka_partition,
        generation: one.generation,
        position: one.position,
    }))
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
