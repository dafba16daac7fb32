//! Taking the lead, keeping it, and what the leader does.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use marquee_domain::{Movie, MovieId};
use marquee_infra::{
    event_log::EventReader,
    kafka::{self, CursorStore, Mark, TopicsError, TransactionError, TransactionalProducer},
    lease::{Held, Lease},
};
use sqlx::MySqlPool;
use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    CatalogTopicSettings, POLL_INTERVAL,
    cursor::{Cursor, Cursors, next},
    document::MovieDocument,
    message::Message,
    rows::{self, Checkpoint, MovieRow},
    status::Reporter,
};
use crate::catalog::{Catalog, RefillError};

/// Of a batch: no more is held in memory.
const MAX_BYTES: usize = 8 << 20;
/// How long a batch that is under way may take to end after a stop.
const GRACE: Duration = Duration::from_secs(3);
/// A broker that has no transactions has to be another one before it has.
const NO_TRANSACTIONS_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Error)]
pub(super) enum PublishError {
    #[error("MySQL could not be read or written")]
    Mysql(#[from] sqlx::Error),
    #[error("the topics are not as they have to be")]
    Topics(#[from] TopicsError),
    #[error(transparent)]
    Kafka(#[from] TransactionError),
    #[error(transparent)]
    Log(#[from] crate::failure::Failure),
}

pub(super) struct Publisher {
    pool: MySqlPool,
    lease: Lease,
    settings: CatalogTopicSettings,
    reporter: Arc<Reporter>,
    stop: CancellationToken,
    /// Movies whose document at this version can't be published.
    withheld: HashMap<MovieId, u64>,
}

impl Publisher {
    pub(super) fn new(
        pool: MySqlPool,
        lease: Lease,
        settings: CatalogTopicSettings,
        reporter: Arc<Reporter>,
        stop: CancellationToken,
    ) -> Self {
        Self { pool, lease, settings, reporter, stop, withheld: HashMap::new() }
    }

    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_cancelled() {
            let wait = match self.lease.acquire().await {
                Ok(Some(held)) => {
                    pause = FIRST_PAUSE;
                    self.lead(held).await;
                    FIRST_PAUSE
                }
                Ok(None) => {
                    pause = FIRST_PAUSE;
                    self.reporter.works();
                    // Often enough to take over soon after the lease has expired.
                    self.lease.term() / 10
                }
                Err(error) => {
                    self.reporter.problem(&PublishError::from(error));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause
                }
            };
            self.pause(wait).await;
        }
    }

    /// Returns when the lead is lost, or no longer wanted.
    async fn lead(&mut self, held: Held) {
        self.reporter.leads(held.epoch);
        let lease = self.lease.clone();
        let stop = self.stop.clone();
        tokio::select! {
            () = lease.keep(held) => {}
            () = self.publish_until_stopped() => {}
            () = async { stop.cancelled().await; sleep(GRACE).await } => {}
        }
        self.reporter.stands_by();
        if let Err(error) = lease.release(held).await {
            // It expires by itself.
            tracing::debug!(%error, "the lease could not be released");
        }
    }

    async fn publish_until_stopped(&mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let Err(error) = self.publish().await else { return };
            self.reporter.problem(&error);
            if let PublishError::Kafka(error) = &error {
                if error.is_fenced() {
                    return;
                }
                if error.is_without_transactions() {
                    self.reporter.cannot_be_done();
                    self.pause(NO_TRANSACTIONS_PAUSE).await;
                }
            }
            let lasted = started.elapsed() > LONGEST_PAUSE;
            pause = if lasted { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            self.pause(pause).await;
        }
    }

    /// Connects and publishes until the stop, or the first error.
    async fn publish(&mut self) -> Result<(), PublishError> {
        let CatalogTopicSettings { kafka: client, topics, topic_settings, .. } = &self.settings;
        kafka::ensure_topics(client, topics, topic_settings).await?;
        let (producer, mut cursors) = self.open().await?;
        tracing::info!(?cursors, "the catalog topic is published");
        while !self.stop.is_cancelled() {
            // Before the rows: a generation that rises while they are read is seen the next time.
            let checkpoints = rows::checkpoints(&self.pool, &self.settings.topics.movies).await?;
            self.report(&cursors, &checkpoints);
            self.reporter.works();
            let batch = self.read(&cursors, &checkpoints).await?;
            let is_all = batch.is_all;
            if !batch.rows.is_empty() {
                self.send(&producer, &batch).await?;
            }
            cursors.extend(batch.cursors);
            if is_all {
                self.pause(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Fences every older publisher, then finds out how far it came.
    async fn open(&self) -> Result<(TransactionalProducer, Cursors), PublishError> {
        let settings = &self.settings;
        // In the names of the movie events' partitions: those are what the tables know.
        let group = &settings.consumer_group;
        let store = CursorStore::open(&settings.kafka, group, &settings.topics.movies)
            .map_err(|source| TransactionError::Kafka { doing: "open the cursor", source })?;
        let producer =
            TransactionalProducer::open(&settings.kafka, &settings.transactional_id, store).await?;
        // A topic that was deleted and made again has nothing, whatever the cursor says.
        if producer.is_empty(&settings.topics.catalog).await? {
            return Ok((producer, Cursors::new()));
        }
        let checkpoints = rows::checkpoints(&self.pool, &settings.topics.movies).await?;
        let partitions = checkpoints.iter().map(|one| one.kafka_partition).collect();
        let marks = producer.marks(partitions).await?;
        let cursors = marks
            .iter()
            .filter_map(|mark| Some((mark.partition, Cursor::from_mark(mark)?)))
            .collect();
        Ok((producer, cursors))
    }

    fn report(&self, cursors: &Cursors, checkpoints: &[Checkpoint]) {
        let behind = checkpoints.iter().filter_map(|checkpoint| {
            let cursor = cursors.get(&checkpoint.kafka_partition).copied();
            next(cursor, checkpoint).map(|after| checkpoint.position - after)
        });
        self.reporter.stands(behind.max().unwrap_or(0), self.withheld.len());
    }

    /// What changed after the cursors; each partition that moved has its share of the batch.
    async fn read(
        &self,
        cursors: &Cursors,
        checkpoints: &[Checkpoint],
    ) -> Result<Batch, PublishError> {
        let moved: Vec<(&Checkpoint, u64)> = checkpoints
            .iter()
            .filter_map(|checkpoint| {
                let cursor = cursors.get(&checkpoint.kafka_partition).copied();
                Some((checkpoint, next(cursor, checkpoint)?))
            })
            .collect();
        let mut batch = Batch { rows: Vec::new(), cursors: Cursors::new(), is_all: true };
        let share = moved.len().max(1);
        let max_movies = self.settings.max_batch_movies;
        let max_rows = (max_movies / u32::try_from(share).unwrap_or(u32::MAX)).max(1);
        for (checkpoint, after) in moved {
            let partition = checkpoint.kafka_partition;
            let chunk =
                rows::changed_after(&self.pool, partition, after, max_rows, MAX_BYTES / share)
                    .await?;
            let last = chunk.rows.last().map_or(after, |row| row.position);
            // Rows that were read after the checkpoint can be newer than it.
            let position = if chunk.is_last { last.max(checkpoint.position) } else { last };
            let cursor = Cursor { position, generation: checkpoint.generation };
            batch.cursors.insert(partition, cursor);
            batch.is_all &= chunk.is_last;
            batch.rows.extend(chunk.rows);
        }
        Ok(batch)
    }

    async fn send(
        &mut self,
        producer: &TransactionalProducer,
        batch: &Batch,
    ) -> Result<(), PublishError> {
        let mut messages = Vec::with_capacity(batch.rows.len());
        for row in &batch.rows {
            if self.withheld.get(&row.movie_id) == Some(&row.version) {
                continue;
            }
            match self.document(row).await? {
                Ok(value) => messages.push(Message::of(row, value)),
                Err(error) => self.withhold(row.movie_id, row.version, &error),
            }
        }
        let records = messages.iter().map(|one| one.record(&self.settings.topics.catalog));
        let marks: Vec<Mark> =
            batch.cursors.iter().map(|(partition, cursor)| cursor.mark(*partition)).collect();
        match producer.publish(records.collect(), marks).await {
            Ok(()) => {}
            Err(TransactionError::TooLarge { index }) => {
                if let Some(message) = messages.get(index) {
                    let error = "its document is larger than Kafka takes";
                    self.withhold(message.movie_id, message.version, error);
                }
                return Err(TransactionError::TooLarge { index }.into());
            }
            Err(error) => return Err(error.into()),
        }
        for message in &messages {
            self.withheld.remove(&message.movie_id);
        }
        let tombstones = messages.iter().filter(|message| message.value.is_none()).count();
        self.reporter.published(messages.len() - tombstones, tombstones);
        Ok(())
    }

    /// The movie's document; none if it was removed. The inner error concerns this movie alone.
    async fn document(
        &self,
        row: &MovieRow,
    ) -> Result<Result<Option<Vec<u8>>, String>, PublishError> {
        if row.removed {
            return Ok(Ok(None));
        }
        let state = serde_json::from_str(row.state.get());
        let movie = if let Ok(Movie::Listed(movie)) = state {
            movie
        } else {
            // Written by a version that knew movies differently.
            let log = EventReader::new(self.pool.clone());
            match Catalog::fold(&log, row.movie_id, row.version).await {
                Ok(Movie::Listed(movie)) => movie,
                Ok(_) => return Ok(Err("its row and the event log disagree".to_owned())),
                Err(RefillError::Log(failure)) => return Err(failure.into()),
                Err(error) => return Ok(Err(error.to_string())),
            }
        };
        let document = MovieDocument::of(*movie, row.version, row.position);
        Ok(serde_json::to_vec(&document).map(Some).map_err(|error| error.to_string()))
    }

    /// The topic keeps the movie's last document until a later version of it can be published.
    fn withhold(&mut self, movie_id: MovieId, version: u64, error: &str) {
        tracing::error!(%movie_id, version, error, "the catalog topic is without a movie's latest");
        metrics::counter!("marquee_catalog_topic_withheld_total").increment(1);
        self.withheld.insert(movie_id, version);
    }

    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

/// Movies to publish, and where the cursors are once they are.
struct Batch {
    rows: Vec<MovieRow>,
    cursors: Cursors,
    /// Nothing that had changed when it was read was left out.
    is_all: bool,
}
