//! What is asked of the log, and what it answers.

use std::{collections::HashMap, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use marquee_domain::{Movie, MovieEvent, MovieId, UserId, values::Slug};

use super::IdempotencyKey;

/// One command's events, to be appended together or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    pub movie_id: MovieId,
    /// The version that the events were decided on; 0 for a new movie.
    pub expected_version: u64,
    /// May be empty: then the version is checked and the receipt stored, nothing else.
    pub events: Vec<MovieEvent>,
    /// Stored beside every event: who, by which command, in which request and trace.
    pub metadata: HashMap<String, String>,
    /// Stored with the events, so that the command can be repeated without harm.
    pub receipt: Option<NewReceipt>,
    pub recorded_at: DateTime<Utc>,
}

/// What to remember of a command that came with an idempotency key.
#[derive(Clone)]
pub struct NewReceipt {
    pub caller: UserId,
    pub key: IdempotencyKey,
    pub request_sha256: [u8; 32],
    /// Makes the answer from what was appended. Runs inside the append transaction: keep it short.
    pub response: Arc<dyn Fn(&Appended) -> StoredResponse + Send + Sync>,
}

impl fmt::Debug for NewReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewReceipt")
            .field("caller", &self.caller)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What the log holds after an append.
#[derive(Debug, Clone)]
pub struct Appended {
    pub movie_id: MovieId,
    /// The sequence of the movie's last event.
    pub version: u64,
    /// The position of the movie's last event; 0 for a movie without any.
    pub position: u64,
    /// The slug as it was chosen, when the movie was created by this append.
    pub slug: Option<Slug>,
    /// The movie after the events.
    pub movie: Arc<Movie>,
}

/// How an append that was not refused ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    Appended(Appended),
    /// The same command was done before; this is what was answered then.
    Replayed(StoredResponse),
}

/// An answer as it was given, repeated byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    pub status: u16,
    pub body: String,
}
