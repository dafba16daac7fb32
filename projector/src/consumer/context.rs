//! What librdkafka calls back: rebalances, statistics, logs.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientContext, Offset, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, KafkaResult},
    topic_partition_list::TopicPartitionListElem,
    types::RDKafkaRespErr,
};

use super::lanes::{Lanes, Shared};
use crate::projection::Projection;

const CHECKPOINT_PAUSE: Duration = Duration::from_millis(500);

pub struct Context<P> {
    shared: Arc<Shared<P>>,
    lanes: Mutex<Lanes<P>>,
}

impl<P: Projection> Context<P> {
    pub fn new(shared: Arc<Shared<P>>) -> Self {
        Self { lanes: Mutex::new(Lanes::new(Arc::clone(&shared))), shared }
    }

    /// Locked for no longer than a call: rebalances come while the consumer is polled.
    pub fn lanes(&self) -> MutexGuard<'_, Lanes<P>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Points each partition at its checkpoint, and starts its worker there. MySQL is waited for:
    /// without a checkpoint nothing can be read. Whether that was possible.
    fn open(&self, assigned: &mut TopicPartitionList) -> bool {
        for partition in partitions(assigned) {
            let Some(next_offset) = self.checkpoint(partition) else { return false };
            let offset = Offset::Offset(next_offset);
            if let Err(error) = assigned.set_partition_offset(&self.shared.topic, partition, offset)
            {
                tracing::error!(%error, partition, "the checkpoint's offset can't be set");
                return false;
            }
            self.lanes().open(partition, next_offset);
        }
        true
    }

    fn checkpoint(&self, partition: i32) -> Option<i64> {
        let mut told = false;
        loop {
            let error = match self.lanes().checkpoint(partition) {
                Ok(next_offset) => return Some(next_offset),
                Err(error) => error,
            };
            if !told {
                told = true;
                let lane = self.shared.lane(partition);
                tracing::warn!(%lane, %error, "the checkpoint can't be read; waiting for MySQL");
            }
            let stop = &self.shared.stop;
            let stopped = self.shared.runtime.block_on(async {
                tokio::time::timeout(CHECKPOINT_PAUSE, stop.cancelled()).await.is_ok()
            });
            if stopped {
                return None;
            }
        }
    }

    fn close(&self, revoked: &TopicPartitionList) {
        self.lanes().close(&partitions(revoked));
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<i32> {
    list.elements().iter().map(TopicPartitionListElem::partition).collect()
}

impl<P: Projection> ConsumerContext for Context<P> {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let done = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            if !self.open(partitions) {
                // Stopping: the partitions are taken over and left alone until the group is left.
                self.close(partitions);
            }
            if cooperative {
                consumer.incremental_assign(partitions)
            } else {
                consumer.assign(partitions)
            }
        } else {
            self.close(partitions);
            // librdkafka remembers who was paused: one that comes back would never be read again.
            if let Err(error) = consumer.resume(partitions) {
                tracing::warn!(projection = P::NAME, %error, "partitions were not resumed");
            }
            if cooperative {
                consumer.incremental_unassign(partitions)
            } else {
                consumer.unassign()
            }
        };
        let open = self.lanes().partitions();
        match done {
            Ok(()) => tracing::info!(projection = P::NAME, ?open, "partitions were assigned anew"),
            Err(error) => tracing::error!(projection = P::NAME, %error, "a rebalance failed"),
        }
    }

    /// The broker's offsets are a courtesy for its lag tools; nothing depends on them.
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(projection = P::NAME, %error, "offsets were not committed");
        }
    }
}

impl<P: Projection> ClientContext for Context<P> {
    fn stats(&self, statistics: Statistics) {
        let reachable = statistics.brokers.values().any(|broker| broker.state == "UP");
        self.shared.progress.set_kafka_reachable(P::NAME, reachable);
        let Some(topic) = statistics.topics.get(&self.shared.topic) else { return };
        for partition in topic.partitions.values() {
            let lane = self.shared.lane(partition.partition);
            if let Some(progress) = self.shared.progress.find(&lane) {
                progress.observe_end(partition.ls_offset);
            }
        }
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
    }
}
