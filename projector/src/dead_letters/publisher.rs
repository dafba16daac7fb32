//! Taking the lead, keeping it, and copying what there is to copy.

use std::{sync::Arc, time::Duration};

use marquee_infra::{
    kafka::{self, PARTITIONER, QuietContext, TopicsError},
    lease::{Held, Lease},
};
use rdkafka::{
    config::FromClientConfigAndContext,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::{DeliveryFuture, FutureProducer},
};
use sqlx::MySqlPool;
use thiserror::Error;
use tokio::{
    task::spawn_blocking,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    DeadLettersSettings,
    letter::Letter,
    outbox::{self, Row},
    status::Reporter,
};

/// How soon a parked record is copied.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Of what is copied together: no more is held in memory, but for a record that is larger.
const MAX_ROWS: u32 = 200;
const MAX_BYTES: u64 = 8 << 20;
/// To find the topics as they have to be.
const TOPICS_TIMEOUT: Duration = Duration::from_secs(5);
/// For Kafka to acknowledge a record. A round waits for the topics once and for this twice, which is
/// less than the lease's term.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);
/// librdkafka's largest: what is too large is for the broker to say.
const ANY_SIZE: &str = "1000000000";
/// How long copies that are under way may take to end after a stop.
const GRACE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub(super) enum CopyError {
    #[error("MySQL could not be read or written")]
    Mysql(#[from] sqlx::Error),
    #[error("the topics are not as they have to be")]
    Topics(#[from] TopicsError),
    #[error("Kafka's administration does not answer")]
    NoAnswer(#[from] Elapsed),
    #[error("Kafka did not take a copy")]
    Kafka(#[from] KafkaError),
}

type Producing = FutureProducer<QuietContext>;

pub(super) struct Publisher {
    pool: MySqlPool,
    lease: Lease,
    settings: DeadLettersSettings,
    reporter: Arc<Reporter>,
    stop: CancellationToken,
    held: Option<Held>,
    /// Made when there is something to copy for the first time.
    producer: Option<Producing>,
}

/// What there was to do.
enum Round {
    Standby,
    Idle,
    Copied,
}

impl Publisher {
    pub(super) fn new(
        pool: MySqlPool,
        lease: Lease,
        settings: DeadLettersSettings,
        reporter: Arc<Reporter>,
        stop: CancellationToken,
    ) -> Self {
        Self { pool, lease, settings, reporter, stop, held: None, producer: None }
    }

    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            let outcome = tokio::select! {
                outcome = self.round() => outcome,
                () = async { stop.cancelled().await; sleep(GRACE).await } => break,
            };
            let wait = match outcome {
                Ok(Round::Copied) => Duration::ZERO,
                Ok(Round::Idle) => POLL_INTERVAL,
                // Often enough to take over soon after the lease has expired.
                Ok(Round::Standby) => self.lease.term() / 10,
                Err(error) => {
                    self.reporter.problem(&error);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    // The topic may have to be made again.
                    self.close();
                    let _ = timeout(pause, stop.cancelled()).await;
                    continue;
                }
            };
            pause = FIRST_PAUSE;
            let _ = timeout(wait, stop.cancelled()).await;
        }
        self.close();
        if let Some(held) = self.held {
            // If MySQL is away it expires by itself.
            let _ = timeout(GRACE, self.lease.release(held)).await;
        }
    }

    async fn round(&mut self) -> Result<Round, CopyError> {
        self.held = self.lease.hold(self.held).await?;
        if self.held.is_none() {
            self.reporter.stands_by();
            return Ok(Round::Standby);
        }
        let rows = outbox::next(&self.pool, MAX_ROWS, MAX_BYTES).await?;
        let waiting = if rows.is_empty() { 0 } else { outbox::waiting(&self.pool).await? };
        self.reporter.leads(waiting);
        if rows.is_empty() {
            self.reporter.copied(0);
            return Ok(Round::Idle);
        }
        let producer = self.open().await?;
        let (copied, failure) = copy(&producer, &self.settings.topics.dead_letters, &rows).await;
        outbox::delete(&self.pool, &copied).await?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        self.reporter.copied(copied.len());
        Ok(Round::Copied)
    }

    async fn open(&mut self) -> Result<Producing, CopyError> {
        if let Some(producer) = &self.producer {
            return Ok(producer.clone());
        }
        let DeadLettersSettings { kafka: client, topics, topic_settings, .. } = &self.settings;
        timeout(TOPICS_TIMEOUT, kafka::ensure_topics(client, topics, topic_settings)).await??;
        let mut config = client.client_config();
        config
            .set("acks", "all")
            .set("partitioner", PARTITIONER)
            // In order, as long as nothing fails.
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.max.bytes", ANY_SIZE)
            // One that is too large is refused with all of its batch.
            .set("batch.num.messages", "1")
            .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            .set("linger.ms", "0");
        let producer = Producing::from_config_and_context(&config, QuietContext)?;
        Ok(self.producer.insert(producer).clone())
    }

    /// Closing a producer blocks for a moment: not on a thread that others need.
    fn close(&mut self) {
        if let Some(producer) = self.producer.take() {
            spawn_blocking(move || drop(producer));
        }
    }
}

/// The rows that Kafka has a copy of now, and why others have none.
async fn copy(producer: &Producing, topic: &str, rows: &[Row]) -> (Vec<u64>, Option<KafkaError>) {
    let sent: Vec<_> = rows.iter().map(|row| send(producer, topic, &Letter::of(row))).collect();
    let mut copied = Vec::with_capacity(rows.len());
    let mut failure = None;
    for (row, sent) in rows.iter().zip(sent) {
        let delivered = match acknowledged(sent).await {
            Err(error) if is_too_large(&error) => {
                acknowledged(send(producer, topic, &Letter::without_record(row))).await
            }
            delivered => delivered,
        };
        match delivered {
            Ok(()) => copied.push(row.id),
            Err(error) => failure = Some(error),
        }
    }
    (copied, failure)
}

fn send(producer: &Producing, topic: &str, letter: &Letter<'_>) -> KafkaResult<DeliveryFuture> {
    producer.send_result(letter.record(topic)).map_err(|(error, _)| error)
}

/// Ends by itself: acknowledged, refused, or after `message.timeout.ms`.
async fn acknowledged(sent: KafkaResult<DeliveryFuture>) -> KafkaResult<()> {
    match sent?.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::Canceled),
    }
}

fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}
