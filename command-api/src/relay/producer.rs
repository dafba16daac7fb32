//! Producing batches, exactly once where Kafka has transactions.
//!
//! Calls of librdkafka that block run on tokio's blocking threads.

use std::{
    ops::Deref,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use marquee_infra::{
    event_log::{
        RecordedEvent,
        lease::{Held, RelayLease},
    },
    kafka::{PARTITIONER, QuietContext},
};
use metrics::histogram;
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, KafkaResult},
    producer::{FutureProducer, Producer},
};
use tokio::{task::spawn_blocking, time::timeout_at};

use super::{
    Delivery, Mode, RelayError, RelaySettings,
    cursor::{self, Cursor},
    record,
};

/// Kafka itself aborts a transaction that is not ended for so long, so that a leader that died
/// holds up read_committed consumers no longer.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// One blocking call, at most: a shutdown waits no longer.
const CALL: Duration = Duration::from_secs(1);
/// All calls of one step.
const STEP: Duration = Duration::from_secs(8);

/// A connection that has the right to publish, as far as Kafka knows.
pub(super) struct LogProducer {
    producer: Closing,
    topic: String,
    delivery: DeliveryState,
}

type Producing = FutureProducer<QuietContext>;

enum DeliveryState {
    Transactional { group: Arc<ConsumerGroupMetadata> },
    AtLeastOnce { lease: RelayLease, held: Held },
}

impl LogProducer {
    /// Connects, fences every older producer, and finds the position to go on after.
    pub(super) async fn open(
        settings: &RelaySettings,
        delivery: Delivery,
        lease: &RelayLease,
        held: Held,
    ) -> Result<(Self, u64), RelayError> {
        match delivery {
            Delivery::ExactlyOnce => Self::open_transactional(settings, lease).await,
            Delivery::AtLeastOnce => Self::open_at_least_once(settings, lease, held).await,
        }
    }

    async fn open_transactional(
        settings: &RelaySettings,
        lease: &RelayLease,
    ) -> Result<(Self, u64), RelayError> {
        let mut config = base_config(settings);
        config
            .set("transactional.id", &settings.transactional_id)
            .set("transaction.timeout.ms", millis(TRANSACTION_TIMEOUT))
            // What it waits when the coordinator is still busy with the transaction before:
            // a few milliseconds' work, and the default of 100 ms would be seen by every viewer.
            .set("retry.backoff.ms", "1");
        let producer = create(&config)?;
        in_calls("begin to use transactions", &producer, |producer| {
            producer.init_transactions(CALL)
        })
        .await?;
        let topic = settings.topics.movies.clone();
        let settings = settings.clone();
        let at_least_once = lease.position().await?;
        let (group, position) = blocking("tell the cursor", move || {
            let cursor = Cursor::open(&settings)?;
            Ok((cursor.group()?, cursor.position(at_least_once)?))
        })
        .await?;
        let delivery = DeliveryState::Transactional { group: Arc::new(group) };
        Ok((Self { producer, topic, delivery }, position))
    }

    async fn open_at_least_once(
        settings: &RelaySettings,
        lease: &RelayLease,
        held: Held,
    ) -> Result<(Self, u64), RelayError> {
        let mut config = base_config(settings);
        // Without it, a record that timed out would be overtaken by those behind it.
        config.set("enable.gapless.guarantee", "true");
        let producer = Self {
            producer: create(&config)?,
            topic: settings.topics.movies.clone(),
            delivery: DeliveryState::AtLeastOnce { lease: lease.clone(), held },
        };
        let position = lease.position().await?;
        Ok((producer, position))
    }

    pub(super) const fn mode(&self) -> Mode {
        match self.delivery {
            DeliveryState::Transactional { .. } => Mode::Transactional,
            DeliveryState::AtLeastOnce { .. } => Mode::AtLeastOnce,
        }
    }

    /// Publishes the events and moves the cursor to the last of them. After an error nobody knows
    /// what became of the batch; whoever opens the next producer finds out.
    pub(super) async fn publish(&self, events: &[Arc<RecordedEvent>]) -> Result<(), RelayError> {
        let Some(last) = events.last() else { return Ok(()) };
        match &self.delivery {
            DeliveryState::Transactional { group } => {
                timed("cursor", self.begin(group, last.position)).await?;
                timed("events", self.send(events)).await?;
                timed("commit", in_calls("commit a batch", &self.producer, commit)).await
            }
            DeliveryState::AtLeastOnce { lease, held } => {
                self.send(events).await?;
                let moved = lease.advance(*held, last.position).await?;
                if moved { Ok(()) } else { Err(RelayError::LeaseLost) }
            }
        }
    }

    /// Begins a transaction with the cursor, and before any event. The coordinator may still be
    /// writing the markers of the transaction before: librdkafka then tries the cursor again after
    /// `retry.backoff.ms`, but a record only after a fixed 20 ms.
    async fn begin(
        &self,
        group: &Arc<ConsumerGroupMetadata>,
        position: u64,
    ) -> Result<(), RelayError> {
        let producer = Producing::clone(&self.producer);
        blocking("begin a batch", move || producer.begin_transaction()).await?;
        let (group, topic) = (Arc::clone(group), self.topic.clone());
        in_calls("take the cursor", &self.producer, move |producer| {
            let cursor = cursor::offsets(&topic, position)?;
            producer.send_offsets_to_transaction(&cursor, &group, CALL)
        })
        .await
    }

    async fn send(&self, events: &[Arc<RecordedEvent>]) -> Result<(), RelayError> {
        let kafka = |source| RelayError::Kafka { doing: "accept a batch", source };
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            let key = record::key(event);
            let record = record::record(&self.topic, &key, event);
            deliveries.push(self.producer.send_result(record).map_err(|(error, _)| kafka(error))?);
        }
        // Each ends by itself: acknowledged, refused, or after message.timeout.ms.
        for delivery in deliveries {
            delivery.await.map_err(|_| RelayError::Stopped)?.map_err(|(error, _)| kafka(error))?;
        }
        Ok(())
    }
}

/// Where a transaction's time goes.
async fn timed<T>(step: &'static str, work: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let result = work.await;
    histogram!("marquee_relay_step_seconds", "step" => step).record(started.elapsed());
    result
}

/// Closing a producer blocks for up to a second: not on a thread that others need.
struct Closing(Option<Producing>);

impl Deref for Closing {
    type Target = Producing;

    fn deref(&self) -> &Producing {
        self.0.as_ref().expect("only drop takes it")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let producer = self.0.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(producer));
        }
    }
}

fn base_config(settings: &RelaySettings) -> ClientConfig {
    let mut config = settings.kafka.client_config();
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", PARTITIONER)
        .set("message.timeout.ms", millis(STEP))
        // A batch is handed over as a whole: there is nothing to wait for.
        .set("linger.ms", "0")
        .set("socket.nagle.disable", "true");
    config
}

fn create(config: &ClientConfig) -> Result<Closing, RelayError> {
    Producing::from_config_and_context(config, QuietContext)
        .map(|producer| Closing(Some(producer)))
        .map_err(|source| RelayError::Kafka { doing: "take a producer's settings", source })
}

/// Commits once librdkafka has let go of the last delivery report, which is a moment after the
/// report was heard. Before that, rdkafka's commit would first poll for a fixed 100 ms.
fn commit(producer: &Producing) -> KafkaResult<()> {
    let deadline = Instant::now() + CALL;
    while producer.in_flight_count() > 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_micros(50));
    }
    producer.commit_transaction(CALL)
}

/// Calls again what ran out of time, which librdkafka then resumes, so that no call is long.
async fn in_calls(
    doing: &'static str,
    producer: &Producing,
    call: impl Fn(&Producing) -> KafkaResult<()> + Clone + Send + 'static,
) -> Result<(), RelayError> {
    let deadline = Instant::now() + STEP;
    loop {
        let (producer, call) = (producer.clone(), call.clone());
        // `send_offsets_to_transaction` does not keep to its time-out when the coordinator goes away
        // under it: librdkafka then waits until Kafka is back, with the thread, which is given up.
        let called = timeout_at((deadline + CALL).into(), blocking(doing, move || call(&producer)));
        match called.await {
            Ok(Err(RelayError::Kafka { source: KafkaError::Transaction(error), .. }))
                if error.is_retriable() && Instant::now() < deadline => {}
            Ok(result) => return result,
            Err(_) => return Err(RelayError::NoAnswer { doing }),
        }
    }
}

async fn blocking<T: Send + 'static>(
    doing: &'static str,
    call: impl FnOnce() -> KafkaResult<T> + Send + 'static,
) -> Result<T, RelayError> {
    spawn_blocking(call)
        .await
        .map_err(|_| RelayError::Stopped)?
        .map_err(|source| RelayError::Kafka { doing, source })
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
