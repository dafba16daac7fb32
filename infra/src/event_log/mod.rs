//! The event log: the truth. Every event has a position (1, 2, 3, ... in commit order, without a gap).
//!
//! `EventLog` appends and loads; `EventReader` reads in order. Writing goes through one task, the
//! appender, which commits whole groups of commands (`appender`, `transaction`, `settle`).

mod append;
mod appender;
mod by_movie;
mod cache;
mod durability;
mod error;
mod idempotency_key;
mod inspect;
pub mod lease;
mod loading;
mod metrics;
mod prepared;
mod reader;
mod recent;
mod resolve;
mod scan;
mod session;
mod settle;
mod sql;
mod store;
mod suggestion;
mod transaction;

use std::{fmt, sync::Arc, time::Instant};

pub use append::{Append, Appended, NewReceipt, Outcome, StoredResponse};
use appender::{Appender, Request};
pub use by_movie::MovieCursor;
use cache::MovieCache;
pub use error::{AppendError, Cause, EventLogError};
pub use idempotency_key::{IdempotencyKey, InvalidIdempotencyKey};
pub use inspect::{Ends, LogInspector};
use loading::Loader;
use marquee_domain::{Movie, MovieId, UserId, values::Title};
use prepared::Prepared;
pub use reader::{EventReader, RecordedEvent};
pub use recent::RecentEvents;
pub use scan::{EventFilter, EventPage};
use settle::Refusal;
use sqlx::MySqlPool;
pub use store::{MovieContext, MovieEventStore};
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::clock::new_uuid;

/// Limits of the append path. Every one bounds memory or latency.
#[derive(Debug, Clone, Copy)]
pub struct AppendSettings {
    /// Commands that may wait; more are refused.
    pub queue_capacity: usize,
    pub max_batch_commands: usize,
    pub max_batch_events: usize,
    pub cache_capacity_movies: u64,
}

impl Default for AppendSettings {
    fn default() -> Self {
        Self {
            queue_capacity: 1_024,
            max_batch_commands: 256,
            max_batch_events: 1_024,
            cache_capacity_movies: 10_000,
        }
    }
}

/// A movie as of its `version`, the sequence of its last event.
#[derive(Debug, Clone)]
pub struct LoadedMovie {
    pub movie: Arc<Movie>,
    pub version: u64,
}

/// Cheap to clone: all clones share one appender and one cache.
#[derive(Clone)]
pub struct EventLog {
    pool: MySqlPool,
    loader: Arc<Loader>,
    cache: MovieCache,
    queue: mpsc::Sender<Request>,
    appended: watch::Receiver<u64>,
    recent: RecentEvents,
    max_events: usize,
}

impl EventLog {
    /// Starts the appender on the current tokio runtime. Works while MySQL is down: it connects
    /// when there is something to append. After `shutdown` what is waiting is still appended, then
    /// the task ends.
    pub async fn start(
        pool: MySqlPool,
        settings: AppendSettings,
        shutdown: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(settings.queue_capacity);
        let (committed, appended) = watch::channel(0);
        let cache = MovieCache::new(settings.cache_capacity_movies);
        let recent = RecentEvents::default();
        let mut writer = Appender {
            options: pool.connect_options(),
            settings,
            cache: cache.clone(),
            queue: requests,
            appended: committed,
            recent: recent.clone(),
            session: None,
            durability_checked: false,
            careful_batches: 0,
        };
        if let Err(error) = writer.connect().await {
            tracing::warn!(%error, "MySQL cannot be reached yet");
        }
        let log = Self {
            loader: Arc::new(Loader::new(pool.clone())),
            pool,
            cache,
            queue,
            appended,
            recent,
            max_events: settings.max_batch_events,
        };
        (log, tokio::spawn(writer.run(shutdown)))
    }

    /// The movie's state, from memory where it is known. It may be behind what another process has
    /// appended: `append` checks, and `reload` looks for itself. A refusal that is decided on it
    /// alone should be confirmed on a reloaded one.
    pub async fn load(&self, id: MovieId) -> Result<LoadedMovie, EventLogError> {
        match self.cache.get(id) {
            Some(known) => Ok(known),
            None => self.reload(id).await,
        }
    }

    /// The movie's state as MySQL has it now.
    pub async fn reload(&self, id: MovieId) -> Result<LoadedMovie, EventLogError> {
        let loaded = self.loader.movie(id).await?;
        // An unknown id costs a query each time, rather than a place in memory.
        if loaded.version > 0 {
            self.cache.put(id, loaded.clone());
        }
        Ok(loaded)
    }

    /// Appends a command's events, all or none. Once the command is in the queue it runs to its
    /// end, even when the future is dropped.
    pub async fn append(&self, append: Append) -> Result<Outcome, AppendError> {
        let actual = append.events.len();
        if actual > self.max_events {
            return Err(AppendError::TooManyEvents { max: self.max_events, actual });
        }
        let before = match self.movie_at(append.movie_id, append.expected_version).await? {
            Ok(movie) => movie,
            Err(actual) => return self.conflict(append, actual).await,
        };
        let command = Prepared::new(append, new_uuid(), before)?;
        let after = command.after();
        match self.submit(command).await? {
            Ok(outcome) => Ok(outcome),
            Err(Refusal::VersionConflict { actual }) => {
                Err(AppendError::VersionConflict { actual })
            }
            Err(Refusal::TitleTaken { holder }) => Err(match after.listed() {
                Some(movie) => self.title_taken(holder, &movie.title).await?,
                None => AppendError::Internal(Arc::from(Box::from("a title without a movie"))),
            }),
            Err(Refusal::KeyReused) => Err(AppendError::KeyReused),
            Err(Refusal::Failed(error)) => Err(error),
        }
    }

    /// `TitleTaken` if another movie than `movie_id` holds the title just now: to be told early.
    /// What holds is what `append` decides.
    pub async fn expect_title_free(
        &self,
        movie_id: MovieId,
        title: &Title,
    ) -> Result<(), AppendError> {
        let holder =
            sql::find_title_holder(&self.pool, &title.key()).await.map_err(EventLogError::from)?;
        match holder {
            Some(holder) if holder != movie_id => Err(self.title_taken(holder, title).await?),
            Some(_) | None => Ok(()),
        }
    }

    async fn title_taken(
        &self,
        holder: MovieId,
        title: &Title,
    ) -> Result<AppendError, EventLogError> {
        let suggestion = suggestion::free_title(&self.pool, title).await?;
        Ok(AppendError::TitleTaken { holder, suggestion })
    }

    /// What was answered to the caller's command with this key; `KeyReused` when that command was
    /// another one.
    pub async fn receipt(
        &self,
        caller: UserId,
        key: &IdempotencyKey,
        request_sha256: &[u8; 32],
    ) -> Result<Option<StoredResponse>, AppendError> {
        let found =
            sql::find_receipt(&self.pool, caller, key).await.map_err(EventLogError::from)?;
        match found {
            Some(found) if found.request_sha256 == *request_sha256 => Ok(Some(found.response)),
            Some(_) => Err(AppendError::KeyReused),
            None => Ok(None),
        }
    }

    /// The position of the last event; 0 when there is none.
    pub async fn head(&self) -> Result<u64, EventLogError> {
        self.reader().head().await
    }

    /// The last position that this process has committed; 0 before the first.
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.appended.clone()
    }

    /// What this process has committed last.
    pub fn recent(&self) -> RecentEvents {
        self.recent.clone()
    }

    pub fn reader(&self) -> EventReader {
        EventReader::new(self.pool.clone())
    }

    /// The movie at `version`, or the version that it has instead.
    async fn movie_at(
        &self,
        id: MovieId,
        version: u64,
    ) -> Result<Result<Arc<Movie>, u64>, EventLogError> {
        if version == 0 {
            return Ok(Ok(Arc::default()));
        }
        if let Some(known) = self.cache.get(id)
            && known.version == version
        {
            return Ok(Ok(known.movie));
        }
        let loaded = self.loader.movie(id).await?;
        Ok(if loaded.version == version { Ok(loaded.movie) } else { Err(loaded.version) })
    }

    /// A conflict that shows before the command is queued. A command that was done before is
    /// answered as it was then, though the movie has moved on.
    async fn conflict(&self, append: Append, actual: u64) -> Result<Outcome, AppendError> {
        self.cache.forget(append.movie_id);
        if let Some(receipt) = append.receipt
            && let Some(response) =
                self.receipt(receipt.caller, &receipt.key, &receipt.request_sha256).await?
        {
            return Ok(Outcome::Replayed(response));
        }
        Err(AppendError::VersionConflict { actual })
    }

    async fn submit(&self, command: Prepared) -> Result<Result<Outcome, Refusal>, AppendError> {
        let (reply, verdict) = oneshot::channel();
        let request = Request { command, reply, queued_at: Instant::now() };
        match self.queue.try_send(request) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                metrics::refused_queue_full();
                return Err(AppendError::QueueFull);
            }
            Err(TrySendError::Closed(_)) => {
                return Err(AppendError::Unavailable(Arc::from(Box::from(
                    "the event log is shutting down",
                ))));
            }
        }
        verdict.await.map_err(|_| AppendError::OutcomeUnknown)
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").finish_non_exhaustive()
    }
}
