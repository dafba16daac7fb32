//! What a rebuild or a rollback works with, while it holds the lease that keeps all others out.

use std::{process, time::Duration};

use anyhow::Context;
use marquee_domain::MovieId;
use marquee_infra::{
    clock,
    event_log::EventReader,
    http,
    kafka::{ClientSettings, partition_of},
    lease::{Held, Lease},
    mysql::{
        self,
        accounts::{self, Account},
    },
};
use rdkafka::{
    config::FromClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use sqlx::{MySql, MySqlPool, Transaction};
use tokio::time::{Instant, sleep};

use super::error::RebuildError;
use crate::settings::Settings;

pub const TASK: &str = "catalog-rebuild";
/// A run that was killed is followed by the next one after so long.
const LEASE_TERM: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// For what is read ahead, written, swapped, and for the lease.
const CONNECTIONS: u32 = 6;
/// A process that stands still in a transaction loses it after so long, and with it its locks.
pub const IDLE_SECONDS: u64 = 10;
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Session {
    pub pool: MySqlPool,
    pub log: EventReader,
    /// Of movie events: its checkpoints tell how far the live tables are.
    pub topic: String,
    pub partitions: i32,
    /// Rises with every run.
    pub epoch: u64,
}

impl Session {
    /// Does the work while the lease is held, and no longer; ends it on SIGTERM and SIGINT. Whatever
    /// is cut off there is rolled back by MySQL.
    pub async fn run<T>(
        settings: &Settings,
        work: impl AsyncFnOnce(&Self) -> Result<T, RebuildError>,
    ) -> Result<T, RebuildError> {
        let pool = mysql::connect_lazy(&settings.mysql.url, CONNECTIONS)
            .map_err(|error| RebuildError::Refused(format!("mysql.url: {error}")))?;
        match Self::run_on(pool.clone(), settings, work).await {
            Err(RebuildError::Mysql(source)) if mysql::is_denied(&source) => {
                let lacking = accounts::lacking_in_words(&pool, Account::Rebuild).await?;
                Err(RebuildError::OtherUser { lacking, source })
            }
            outcome => outcome,
        }
    }

    async fn run_on<T>(
        pool: MySqlPool,
        settings: &Settings,
        work: impl AsyncFnOnce(&Self) -> Result<T, RebuildError>,
    ) -> Result<T, RebuildError> {
        let topic = settings.topics.names().movies;
        let holder = format!("{}/{}", process::id(), clock::new_uuid());
        let lease = Lease::new(pool.clone(), TASK, holder, LEASE_TERM);
        let held = acquire(&lease).await?;
        let session = async {
            let partitions = partitions(&settings.kafka, &topic).await?;
            let log = EventReader::new(pool.clone());
            Ok::<_, RebuildError>(Self {
                pool: pool.clone(),
                log,
                topic,
                partitions,
                epoch: held.epoch,
            })
        };
        let outcome = tokio::select! {
            outcome = async { work(&session.await?).await } => outcome,
            () = lease.keep(held) => Err(RebuildError::Superseded),
            signal = http::shutdown_signal() => Err(match signal {
                Ok(()) => RebuildError::Stopped,
                Err(error) => RebuildError::Refused(format!("signals can't be received: {error}")),
            }),
        };
        if let Err(error) = lease.release(held).await {
            // It expires by itself.
            tracing::debug!(%error, "the lease could not be released");
        }
        outcome
    }

    pub async fn begin(&self) -> Result<Transaction<'static, MySql>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let sql = format!("SET SESSION wait_timeout = {IDLE_SECONDS}");
        sqlx::query(&sql).execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// The Kafka partition that the movie's events come by.
    pub fn partition_of(&self, movie_id: MovieId) -> i32 {
        partition_of(movie_id.to_string().as_bytes(), self.partitions)
    }
}

/// Waits as long as a run that was killed may still seem to hold it.
async fn acquire(lease: &Lease) -> Result<Held, RebuildError> {
    let deadline = Instant::now() + lease.term() + ASK_AGAIN;
    loop {
        if let Some(held) = lease.acquire().await? {
            return Ok(held);
        }
        if Instant::now() > deadline {
            let text = "another rebuild or rollback of the catalog is running";
            return Err(RebuildError::Refused(text.to_owned()));
        }
        sleep(ASK_AGAIN).await;
    }
}

async fn partitions(client: &ClientSettings, topic: &str) -> Result<i32, RebuildError> {
    let (client, topic) = (client.clone(), topic.to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let mut config = client.client_config();
        // librdkafka wants a name; the group is never joined.
        config.set("group.id", "marquee.projector-rebuild");
        let consumer = BaseConsumer::from_config(&config)?;
        let metadata = consumer.fetch_metadata(Some(&topic), KAFKA_TIMEOUT)?;
        let partitions = metadata.topics().iter().map(|one| one.partitions().len()).sum::<usize>();
        anyhow::ensure!(partitions > 0, "there is no topic {topic}");
        Ok(i32::try_from(partitions)?)
    });
    let answer = asked.await.context("the question was cut off").and_then(|answer| answer);
    answer.map_err(RebuildError::Kafka)
}
