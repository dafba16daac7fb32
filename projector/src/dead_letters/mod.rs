//! `marquee.dead-letters.v1`: a copy of every record that was parked, for those who watch streams and
//! not tables.
//!
//! What is to be copied is in a table of its own, written in the transaction that parks: Kafka's
//! absence stops no projection, and a record that was retried or discarded meanwhile is copied all
//! the same. Rows are deleted once Kafka has acknowledged them, so that a copy may be made twice, and
//! none is left out. One process copies at a time, by a lease, which spares Kafka more doubles.

mod letter;
mod outbox;
mod publisher;
mod status;

use std::{sync::Arc, time::Duration};

use marquee_infra::{
    clock,
    kafka::{ClientSettings, TopicSettings, Topics},
    lease::Lease,
    settings::TopicsSettings,
};
use sqlx::MySqlPool;
use tokio_util::sync::CancellationToken;

pub use self::{
    letter::header,
    outbox::{enqueue, waiting},
    status::DeadLettersStatus,
};
use self::{publisher::Publisher, status::Reporter};
use crate::beside::Beside;

const TASK: &str = "dead-letters";

#[derive(Debug, Clone)]
pub struct DeadLettersSettings {
    pub kafka: ClientSettings,
    pub topics: Topics,
    /// How topics are made that are missing.
    pub topic_settings: TopicSettings,
    /// A process that died is replaced after so long.
    pub lease_term: Duration,
}

impl DeadLettersSettings {
    pub fn new(kafka: ClientSettings, topics: &TopicsSettings) -> Self {
        Self {
            kafka,
            topics: topics.names(),
            topic_settings: topics.creation(),
            lease_term: Duration::from_secs(20),
        }
    }
}

/// A publisher that runs, or stands by.
pub type DeadLetters = Beside<Reporter>;

impl DeadLetters {
    /// Starts it on the current tokio runtime. Works while MySQL and Kafka are down.
    pub fn start(pool: MySqlPool, settings: DeadLettersSettings, stop: CancellationToken) -> Self {
        let holder = clock::new_uuid().to_string();
        let lease = Lease::new(pool.clone(), TASK, holder, settings.lease_term);
        let reporter = Arc::<Reporter>::default();
        let publisher = Publisher::new(pool, lease, settings, Arc::clone(&reporter), stop);
        Self::spawn(reporter, publisher.run())
    }
}
