//! The relay: carries every event of the log to Kafka, in position order, exactly once.
//!
//! One process leads at a time; a lease in MySQL says which. Each batch is one Kafka transaction
//! that also commits the cursor (the position of its last event), so that events and cursor are
//! there together or not at all. Whatever goes wrong, there is one way to recover: drop the
//! producer, make another, which fences the old one, and go on after the committed cursor.
//!
//! It never writes to the event log, and nothing waits for it: while Kafka is away events stay
//! where they are, in MySQL.

mod backoff;
mod cursor;
mod error;
mod leader;
mod producer;
mod record;
mod status;
mod tail;

use std::{fmt, time::Duration};

pub use error::RelayError;
use marquee_infra::{
    event_log::lease::RelayLease,
    kafka::{ClientSettings, TopicSettings, Topics},
};
use serde::Deserialize;
pub use status::{Mode, RelayStatus, Role};
pub use tail::LogTail;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub struct RelaySettings {
    pub kafka: ClientSettings,
    pub topics: Topics,
    /// How topics are made that are missing.
    pub topic_settings: TopicSettings,
    /// All processes that share an event log share this id: it fences all but the newest.
    pub transactional_id: String,
    /// Where Kafka keeps the cursor. Nobody joins this group.
    pub consumer_group: String,
    pub delivery: Delivery,
    /// How soon events are seen that another process appended.
    pub poll_interval: Duration,
    /// In one Kafka transaction.
    pub max_batch_events: u32,
    /// How long a batch waits for company, at most, while the log is busy.
    pub max_linger: Duration,
}

impl RelaySettings {
    /// The prefix separates installations, or tests, that share a cluster.
    pub fn new(kafka: ClientSettings, prefix: &str) -> Self {
        Self {
            kafka,
            topics: Topics::with_prefix(prefix),
            topic_settings: TopicSettings::default(),
            transactional_id: format!("{prefix}marquee-relay"),
            consumer_group: format!("{prefix}marquee.relay.v1"),
            delivery: Delivery::ExactlyOnce,
            poll_interval: Duration::from_millis(50),
            max_batch_events: 1_000,
            max_linger: Duration::from_millis(25),
        }
    }
}

/// What is asked of Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// With transactions; at least once where the broker has none.
    ExactlyOnce,
    AtLeastOnce,
}

/// A relay that runs, or stands by.
pub struct Relay {
    task: JoinHandle<()>,
    status: watch::Receiver<RelayStatus>,
}

impl Relay {
    /// Starts it on the current tokio runtime, which must have several threads and not be an actix
    /// worker's. Works while MySQL and Kafka are down.
    ///
    /// `tail` and `lease` should share a small pool that commands do not use.
    pub fn start(
        tail: LogTail,
        lease: RelayLease,
        settings: RelaySettings,
        shutdown: CancellationToken,
    ) -> Self {
        let (reporter, status) = status::channel();
        let reader = tail.reader().clone();
        let leader = leader::Candidate { reader, lease, settings, reporter, shutdown };
        Self { task: tokio::spawn(leader.run(tail)), status }
    }

    pub fn status(&self) -> RelayStatus {
        self.status.borrow().clone()
    }

    /// To wait for a change of the status.
    pub fn watch(&self) -> watch::Receiver<RelayStatus> {
        self.status.clone()
    }

    /// Ends it at once, as a crash would: the lease stays taken until it expires.
    pub fn abort_handle(&self) -> AbortHandle {
        self.task.abort_handle()
    }

    /// Waits for the end after a shutdown.
    pub async fn stopped(self) -> Result<(), JoinError> {
        self.task.await
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}
