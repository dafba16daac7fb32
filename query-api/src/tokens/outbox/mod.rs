//! Where audit records of tokens go while Kafka is away: a table, from which they are published later.
//!
//! A row is deleted once Kafka has acknowledged it, so that a record may be published twice, and none is
//! left out. The audit knows a token by its id: twice is once. One process publishes at a time, by a
//! lease, which spares Kafka more doubles.

mod drain;
mod rows;
mod status;
mod writer;

use std::{fmt, sync::Arc, time::Duration};

use marquee_infra::{clock, kafka::FactProducer, lease::Lease};
use sqlx::MySqlPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::{drain::Drain, status::Reporter, writer::Writer};
pub use self::{
    rows::{Entry, STATEMENTS},
    status::OutboxStatus,
    writer::OutboxError,
};

const TASK: &str = "stream-token-outbox";
/// A process that died is replaced after so long.
const LEASE_TERM: Duration = Duration::from_secs(10);
/// Of its pool: the writer's and the drain's.
pub const CONNECTIONS: u32 = 2;

/// Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    writer: Writer,
    reporter: Arc<Reporter>,
}

impl Outbox {
    /// Starts it on the current tokio runtime. Works while MySQL and Kafka are down.
    pub fn start(
        pool: MySqlPool,
        producer: FactProducer,
        topic: String,
        stop: CancellationToken,
    ) -> Self {
        let reporter = Arc::<Reporter>::default();
        let written = Arc::<Notify>::default();
        let lease = Lease::new(pool.clone(), TASK, clock::new_uuid().to_string(), LEASE_TERM);
        let drain = Drain {
            pool: pool.clone(),
            lease,
            producer,
            topic,
            written: Arc::clone(&written),
            reporter: Arc::clone(&reporter),
            stop: stop.clone(),
        };
        tokio::spawn(drain.run());
        Self { writer: Writer::start(pool, written, stop), reporter }
    }

    /// Returns when the record is durable.
    pub async fn put(&self, entry: Entry) -> Result<(), OutboxError> {
        self.writer.put(entry).await
    }

    /// What it tells of itself, for as long as anybody asks.
    pub fn watch(&self) -> impl Fn() -> OutboxStatus + Send + Sync + Clone + use<> {
        let reporter = Arc::clone(&self.reporter);
        move || reporter.status()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("status", &self.reporter.status()).finish_non_exhaustive()
    }
}
