//! `marquee.catalog.v1`: the latest document of every movie, on a compacted topic.
//!
//! It follows the read models by position, as the query API does, and publishes the movies that
//! changed, a tombstone for those removed. A batch is one Kafka transaction that also commits the
//! cursor. One process publishes at a time, by a lease; that it is never an older document that
//! comes last rests on the fence of `transactional.id` alone: whoever publishes has first fenced
//! all others, and then read the tables. Nothing waits for it.

mod cursor;
mod document;
mod message;
mod publisher;
mod rows;
mod standing;
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
    cursor::{Cursor, Cursors, next},
    document::{DOCUMENT_TYPE, MovieDocument},
    rows::{Checkpoint, checkpoints},
    standing::{Standing, cursors, standing},
    status::{CatalogTopicStatus, Role},
};
use self::{publisher::Publisher, status::Reporter};
use crate::beside::Beside;

const TASK: &str = "catalog-topic";
/// How soon a change of the read models is seen.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub struct CatalogTopicSettings {
    pub kafka: ClientSettings,
    pub topics: Topics,
    /// How topics are made that are missing.
    pub topic_settings: TopicSettings,
    /// All projectors of an installation share this id: it fences all but the newest.
    pub transactional_id: String,
    /// Where Kafka keeps the cursor. Nobody joins this group.
    pub consumer_group: String,
    /// In one Kafka transaction.
    pub max_batch_movies: u32,
    /// A process that died is replaced after so long.
    pub lease_term: Duration,
}

impl CatalogTopicSettings {
    pub fn new(kafka: ClientSettings, topics: &TopicsSettings) -> Self {
        Self {
            kafka,
            topics: topics.names(),
            topic_settings: topics.creation(),
            transactional_id: topics.group("marquee-catalog-topic"),
            consumer_group: topics.group("marquee.catalog-topic.v1"),
            max_batch_movies: 500,
            lease_term: Duration::from_secs(5),
        }
    }
}

/// A publisher that runs, or stands by.
pub type CatalogTopic = Beside<Reporter>;

impl CatalogTopic {
    /// Starts it on the current tokio runtime. Works while MySQL and Kafka are down.
    pub fn start(pool: MySqlPool, settings: CatalogTopicSettings, stop: CancellationToken) -> Self {
        let holder = clock::new_uuid().to_string();
        let lease = Lease::new(pool.clone(), TASK, holder, settings.lease_term);
        let reporter = Arc::<Reporter>::default();
        let publisher = Publisher::new(pool, lease, settings, Arc::clone(&reporter), stop);
        Self::spawn(reporter, publisher.run())
    }
}
