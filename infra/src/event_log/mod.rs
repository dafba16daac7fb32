//! The event log: the truth. Every event has a position (1, 2, 3, ... in commit order, without a gap).

mod append;
mod error;
mod idempotency_key;
mod reader;

use std::sync::Arc;

pub use append::{Append, Appended, NewReceipt, Outcome, StoredResponse};
pub use error::{AppendError, Cause, EventLogError};
pub use idempotency_key::{IdempotencyKey, InvalidIdempotencyKey};
use marquee_domain::{Movie, MovieId, UserId};
pub use reader::{EventReader, RecordedEvent};
use sqlx::MySqlPool;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

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

#[derive(Debug, Clone)]
pub struct EventLog {
    reader: EventReader,
    appended: watch::Receiver<u64>,
}

impl EventLog {
    /// Starts the appender on the current tokio runtime. Works while MySQL is down.
    pub async fn start(
        pool: MySqlPool,
        _settings: AppendSettings,
        _shutdown: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (_, appended) = watch::channel(0);
        (Self { reader: EventReader::new(pool), appended }, tokio::spawn(async {}))
    }

    /// The movie's state, from memory where it is known. It may be behind what another process has
    /// appended: the append checks, and `reload` sees for itself.
    pub async fn load(&self, id: MovieId) -> Result<LoadedMovie, EventLogError> {
        self.reload(id).await
    }

    /// The movie's state as MySQL has it now.
    pub async fn reload(&self, _id: MovieId) -> Result<LoadedMovie, EventLogError> {
        todo!()
    }

    /// Appends a command's events. Once the future has been polled the append runs to its end, even
    /// when the future is dropped.
    pub async fn append(&self, _append: Append) -> Result<Outcome, AppendError> {
        todo!()
    }

    /// What was answered to the caller's command with this key.
    pub async fn receipt(
        &self,
        _caller: UserId,
        _key: &IdempotencyKey,
        _request_sha256: &[u8; 32],
    ) -> Result<Option<StoredResponse>, AppendError> {
        todo!()
    }

    /// The position of the last event; 0 when there is none.
    pub async fn head(&self) -> Result<u64, EventLogError> {
        self.reader.head().await
    }

    /// The last position that this process has committed.
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.appended.clone()
    }

    pub fn reader(&self) -> EventReader {
        self.reader.clone()
    }
}
