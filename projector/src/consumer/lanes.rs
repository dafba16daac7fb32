//! The partitions that are assigned to this consumer: a worker each, behind a bounded queue.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{Message, message::OwnedMessage};
use sqlx::MySqlPool;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::worker::{Delivery, Worker, time_of};
use crate::{
    checkpoint::{self, Lane},
    progress::{LaneProgress, Progress},
    projection::Projection,
};

/// What may wait for one worker, in KiB, with what it has in hand: two batches of ordinary records.
const ROOM_KIB: u32 = 2 * 1024;
/// What a record takes at least, for its headers.
const RECORD_KIB: usize = 2;
/// How long a full queue is waited for before its partition is paused: pausing throws away what
/// librdkafka has fetched ahead. Other partitions wait as long, once, and have queues of their own.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a worker may take to end its last batch. After that the checkpoint protects the rows.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// What every worker of a consumer shares.
#[derive(Debug)]
pub struct Shared<P> {
    pub projection: Arc<P>,
    pub topic: String,
    pub pool: MySqlPool,
    pub runtime: Handle,
    pub stop: CancellationToken,
    pub progress: Arc<Progress>,
}

impl<P: Projection> Shared<P> {
    pub fn lane(&self, partition: i32) -> Lane {
        Lane { projection: P::NAME, topic: self.topic.clone(), partition }
    }
}

/// Called by the consumer's own thread only, which may block.
pub struct Lanes<P> {
    shared: Arc<Shared<P>>,
    open: BTreeMap<i32, OpenLane>,
}

struct OpenLane {
    deliveries: mpsc::Sender<Delivery>,
    room: Arc<Semaphore>,
    /// Records that did not fit. While there are any, the partition is paused.
    waiting: VecDeque<OwnedMessage>,
    worker: JoinHandle<()>,
    stop: CancellationToken,
    progress: Arc<LaneProgress>,
    not_before: Instant,
}

/// What the consumer has to do about a partition.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    Pause(i32),
    Resume(i32),
    /// Its worker has ended: read again from its checkpoint.
    Restart(i32),
}

impl<P: Projection> Lanes<P> {
    pub fn new(shared: Arc<Shared<P>>) -> Self {
        Self { shared, open: BTreeMap::new() }
    }

    /// Starts a worker at the checkpoint.
    pub fn open(&mut self, partition: i32, next_offset: i64) {
        let shared = &self.shared;
        let lane = shared.lane(partition);
        let progress = shared.progress.open(&lane, next_offset);
        let stop = shared.stop.child_token();
        // Never full: a delivery needs room first.
        let (sender, deliveries) = mpsc::channel(ROOM_KIB as usize);
        let worker = Worker {
            lane,
            projection: Arc::clone(&shared.projection),
            pool: shared.pool.clone(),
            next_offset,
            deliveries,
            stop: stop.clone(),
            progress: Arc::clone(&progress),
        };
        let opened = OpenLane {
            deliveries: sender,
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            waiting: VecDeque::new(),
            worker: shared.runtime.spawn(worker.run()),
            stop,
            progress,
            not_before: Instant::now() + RESTART_PAUSE,
        };
        self.open.insert(partition, opened);
    }

    /// Ends the workers of these partitions. When it returns they write nothing any more.
    pub fn close(&mut self, partitions: &[i32]) {
        let closing: Vec<(i32, OpenLane)> = partitions
            .iter()
            .filter_map(|partition| Some((*partition, self.open.remove(partition)?)))
            .collect();
        for (_, lane) in &closing {
            lane.stop.cancel();
        }
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        for (partition, mut lane) in closing {
            let left = deadline.saturating_duration_since(Instant::now());
            self.shared.runtime.block_on(async {
                if timeout(left, &mut lane.worker).await.is_err() {
                    lane.worker.abort();
                }
            });
            self.shared.progress.close(&self.shared.lane(partition));
        }
    }

    pub fn partitions(&self) -> Vec<i32> {
        self.open.keys().copied().collect()
    }

    /// Gives the record to its partition's worker. A record of a partition that was taken away is
    /// dropped: its new owner reads it.
    pub fn deliver(&mut self, record: OwnedMessage) -> Option<Wish> {
        let partition = record.partition();
        let lane = self.open.get_mut(&partition)?;
        lane.progress.delivered(record.offset(), time_of(&record));
        let was_waiting = !lane.waiting.is_empty();
        lane.waiting.push_back(record);
        if lane.flush() || was_waiting {
            return None;
        }
        let room = Arc::clone(&lane.room);
        let needed = lane.waiting.front().map_or(0, room_of);
        // A timer is made in the runtime, or not at all: this thread is none of its own.
        let _ = self
            .shared
            .runtime
            .block_on(async { timeout(PATIENCE, room.acquire_many(needed)).await.map(drop) });
        if lane.flush() {
            return None;
        }
        lane.progress.set_paused(true);
        Some(Wish::Pause(partition))
    }

    pub fn reached_end(&self, partition: i32) {
        if let Some(lane) = self.open.get(&partition) {
            lane.progress.reached_end();
        }
    }

    /// What has to be done now that time has passed.
    pub fn wishes(&mut self) -> Vec<Wish> {
        let now = Instant::now();
        self.open
            .iter_mut()
            .filter_map(|(partition, lane)| {
                if lane.worker.is_finished() {
                    (now >= lane.not_before).then_some(Wish::Restart(*partition))
                } else if lane.waiting.is_empty() {
                    None
                } else if lane.flush() {
                    lane.progress.set_paused(false);
                    Some(Wish::Resume(*partition))
                } else {
                    None
                }
            })
            .collect()
    }

    pub fn postpone_restart(&mut self, partition: i32) {
        if let Some(lane) = self.open.get_mut(&partition) {
            lane.not_before = Instant::now() + RESTART_PAUSE;
        }
    }

    /// Whether some partition is paused, so that it should be looked at again soon.
    pub fn any_waiting(&self) -> bool {
        self.open.values().any(|lane| !lane.waiting.is_empty())
    }

    /// The offsets that are in MySQL, for the broker's lag tools.
    pub fn next_offsets(&self) -> Vec<(i32, i64)> {
        self.open
            .iter()
            .map(|(partition, lane)| (*partition, lane.progress.next_offset()))
            .collect()
    }

    /// Asks MySQL where the partition stands.
    pub fn checkpoint(&self, partition: i32) -> Result<i64, sqlx::Error> {
        let lane = self.shared.lane(partition);
        self.shared.runtime.block_on(checkpoint::open(&self.shared.pool, &lane))
    }
}

impl OpenLane {
    /// Hands over what there is room for. Whether that was all.
    fn flush(&mut self) -> bool {
        while let Some(record) = self.waiting.pop_front() {
            let room = Arc::clone(&self.room).try_acquire_many_owned(room_of(&record));
            let Ok(room) = room else {
                self.waiting.push_front(record);
                return false;
            };
            // An ended worker takes nothing; its successor reads from the checkpoint.
            let _ = self.deliveries.try_send(Delivery { record, room });
        }
        true
    }
}

fn room_of(record: &OwnedMessage) -> u32 {
    let bytes = record.payload().map_or(0, <[u8]>::len) + record.key().map_or(0, <[u8]>::len);
    u32::try_from(bytes / 1024 + RECORD_KIB).unwrap_or(u32::MAX).min(ROOM_KIB)
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use sqlx::{MySqlConnection, mysql::MySqlPoolOptions};
    use tokio::runtime::Runtime;

    use super::*;
    use crate::{failure::Failure, projection::Applied};

    struct Nothing;

    impl Projection for Nothing {
        const NAME: &'static str = "nothing";

        async fn apply(
            &self,
            _tx: &mut MySqlConnection,
            _records: &[OwnedMessage],
        ) -> Result<Applied, Failure> {
            Ok(Applied::default())
        }

        fn waits_for(&self, _record: &OwnedMessage) -> Option<String> {
            None
        }
    }

    /// Takes a mebibyte of room.
    fn record(partition: i32, offset: i64) -> OwnedMessage {
        let payload = Some(vec![b'x'; (1024 - RECORD_KIB) << 10]);
        let topic = "movies".to_owned();
        OwnedMessage::new(payload, None, topic, Timestamp::NotAvailable, partition, offset, None)
    }

    /// On a thread that is none of the runtime's, as the consumer's is.
    #[test]
    fn a_partition_whose_worker_gets_nowhere_is_paused_and_no_other() {
        let runtime = Runtime::new().unwrap();
        let pool = {
            let _entered = runtime.enter();
            let options = MySqlPoolOptions::new().acquire_timeout(Duration::from_millis(1));
            options.connect_lazy("mysql://nobody@127.0.0.1:1/nowhere").unwrap()
        };
        let stop = CancellationToken::new();
        let mut lanes = Lanes::new(Arc::new(Shared {
            projection: Arc::new(Nothing),
            topic: "movies".to_owned(),
            pool,
            runtime: runtime.handle().clone(),
            stop: stop.clone(),
            progress: Arc::default(),
        }));
        lanes.open(0, 0);
        lanes.open(1, 0);
        let room = i64::from(ROOM_KIB / 1024);
        for offset in 0..room {
            assert_eq!(lanes.deliver(record(0, offset)), None);
        }
        assert_eq!(lanes.deliver(record(0, room)), Some(Wish::Pause(0)));
        assert_eq!(lanes.deliver(record(0, room + 1)), None, "it is paused already");
        assert!(lanes.any_waiting());
        assert_eq!(lanes.wishes(), []);
        assert_eq!(lanes.deliver(record(1, 0)), None);
        stop.cancel();
        lanes.close(&[0, 1]);
    }
}
