//! Taking the lead, keeping it, and what a leader does.

use std::{sync::Arc, time::Instant};

use marquee_infra::{
    clock,
    event_log::{
        EventReader, RecordedEvent,
        lease::{Held, RelayLease},
    },
    kafka,
};
use metrics::{gauge, histogram};
use tokio::{
    sync::watch,
    time::{Duration, MissedTickBehavior, interval, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Delivery, LogTail, RelayError, RelaySettings, backoff::Backoff, producer::LogProducer,
    status::Reporter,
};

/// How long a batch that is under way may take to end after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(3);
const LAG_INTERVAL: Duration = Duration::from_secs(1);

/// A process that leads whenever nobody else does.
pub(super) struct Candidate {
    pub(super) reader: EventReader,
    pub(super) lease: RelayLease,
    pub(super) settings: RelaySettings,
    pub(super) reporter: Reporter,
    pub(super) shutdown: CancellationToken,
}

impl Candidate {
    pub(super) async fn run(self, mut tail: LogTail) {
        let mut backoff = Backoff::default();
        while !self.shutdown.is_cancelled() {
            let wait = match self.lease.acquire().await {
                Ok(Some(held)) => {
                    backoff.reset();
                    self.lead(held, &mut tail).await;
                    backoff.next()
                }
                Ok(None) => {
                    backoff.reset();
                    self.reporter.works();
                    // Often enough to take over soon after the lease has expired.
                    self.lease.term() / 10
                }
                Err(error) => {
                    self.reporter.problem(&error.into());
                    backoff.next()
                }
            };
            self.pause(wait).await;
        }
    }

    /// Returns when the lead is lost, given up or no longer wanted.
    async fn lead(&self, held: Held, tail: &mut LogTail) {
        self.reporter.leads(held.epoch);
        let (until, still_held) = watch::channel(held);
        tokio::select! {
            biased;
            () = self.keep_lease(until) => {}
            () = self.publish_until_stopped(&still_held, tail) => {}
            () = self.report_lag() => {}
            () = self.out_of_grace() => {}
        }
        self.reporter.stands_by();
        if let Err(error) = self.lease.release(held).await {
            // It expires by itself.
            tracing::debug!(%error, "the lease could not be released");
        }
    }

    /// Renews the lease at a third of its term. Returns when it is lost, or about to expire.
    async fn keep_lease(&self, held: watch::Sender<Held>) {
        let mut wait = self.lease.term() / 3;
        loop {
            sleep(wait).await;
            let current = *held.borrow();
            // Before MySQL lets another process take it: a margin for what is under way.
            let margin = self.lease.term() / 6;
            let give_up = current.until.checked_sub(margin).unwrap_or(current.until);
            match timeout_at(give_up.into(), self.lease.renew(current)).await {
                Ok(Ok(Some(renewed))) => {
                    held.send_replace(renewed);
                    wait = self.lease.term() / 3;
                }
                Ok(Ok(None)) => {
                    tracing::warn!(epoch = current.epoch, "the relay's lease was taken over");
                    return;
                }
                Ok(Err(error)) if Instant::now() < give_up => {
                    tracing::debug!(%error, "the lease could not be renewed yet");
                    wait = self.lease.term() / 20;
                }
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!(epoch = current.epoch, "the relay's lease could not be renewed");
                    return;
                }
            }
        }
    }

    async fn publish_until_stopped(&self, held: &watch::Receiver<Held>, tail: &mut LogTail) {
        let mut backoff = Backoff::default();
        let mut delivery = self.settings.delivery;
        while !self.shutdown.is_cancelled() {
            let before = self.reporter.position();
            let Err(error) = self.publish(delivery, held, tail).await else { return };
            if delivery == Delivery::ExactlyOnce && error.is_without_transactions() {
                tracing::warn!(
                    error = error.chain(),
                    "this Kafka has no transactions: events are published at least once"
                );
                delivery = Delivery::AtLeastOnce;
                continue;
            }
            self.reporter.problem(&error);
            if error.is_fenced() {
                return;
            }
            if self.reporter.position() > before {
                backoff.reset();
            }
            self.pause(backoff.next()).await;
        }
    }

    /// Connects and publishes until the shutdown, or the first error.
    async fn publish(
        &self,
        delivery: Delivery,
        held: &watch::Receiver<Held>,
        tail: &mut LogTail,
    ) -> Result<(), RelayError> {
        let settings = &self.settings;
        kafka::ensure_topics(&settings.kafka, &settings.topics, &settings.topic_settings).await?;
        let now_held = *held.borrow();
        let (producer, mut cursor) =
            LogProducer::open(settings, delivery, &self.lease, now_held).await?;
        let log_end = self.reader.head().await?;
        if log_end < cursor {
            return Err(RelayError::LogBehindTopic { log_end, cursor });
        }
        self.reporter.connected(producer.mode(), cursor);
        self.reporter.works();

        while !self.shutdown.is_cancelled() {
            let events = tail.after(cursor, settings.max_batch_events).await?;
            if Instant::now() >= held.borrow().until {
                return Err(RelayError::LeaseLost);
            }
            if let Some(last) = events.last() {
                let started = Instant::now();
                producer.publish(&events).await?;
                cursor = last.position;
                self.reporter.published(cursor);
                measure(&events, started);
            }
            // A full batch: there is more, and to catch up is all that counts.
            if u32::try_from(events.len()) != Ok(settings.max_batch_events) {
                self.linger(events.len()).await;
                self.wait_for_more(tail).await;
            }
        }
        Ok(())
    }

    /// Lets the next batch gather. A transaction costs Kafka the same whether it has one event or a
    /// hundred: the busier the log, the fewer there should be. A millisecond per event of the last
    /// batch settles where few events wait hardly at all, and many a bounded time.
    async fn linger(&self, published: usize) {
        let events = u64::try_from(published).unwrap_or(u64::MAX);
        let wait = Duration::from_millis(events).min(self.settings.max_linger);
        if !wait.is_zero() {
            self.pause(wait).await;
        }
    }

    async fn wait_for_more(&self, tail: &mut LogTail) {
        tokio::select! {
            () = tail.grown() => {}
            () = sleep(self.settings.poll_interval) => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    /// Measures how far Kafka is behind the log, by reading: never returns.
    async fn report_lag(&self) {
        let mut ticks = interval(LAG_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let cursor = self.reporter.position();
            // While MySQL is away the lag is unknown; the relay's problem tells of it.
            let (Ok(head), Ok(next)) =
                (self.reader.head().await, self.reader.read_after(cursor, 1).await)
            else {
                continue;
            };
            let age = next.first().map_or(0.0, |event| {
                (clock::now() - event.recorded_at).to_std().unwrap_or_default().as_secs_f64()
            });
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            gauge!("marquee_relay_lag_events").set(head.saturating_sub(cursor) as f64);
            gauge!("marquee_relay_lag_seconds").set(age);
        }
    }

    async fn out_of_grace(&self) {
        self.shutdown.cancelled().await;
        sleep(GRACE).await;
    }

    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.shutdown.cancelled() => {}
        }
    }
}

fn measure(events: &[Arc<RecordedEvent>], started: Instant) {
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    histogram!("marquee_relay_batch_events").record(events.len() as f64);
    histogram!("marquee_relay_publish_seconds").record(started.elapsed());
}
