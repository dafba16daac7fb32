//! Where the log ends, for all feeds that wait there: one look at it in each interval, however many
//! they are, and none while there are none.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use marquee_infra::event_log::{EventLogError, EventReader};
use tokio::{runtime::Handle, sync::watch, time::sleep};

use super::in_time;

#[derive(Debug)]
pub(super) struct HeadWatch {
    runtime: Handle,
    poll: Arc<Poll>,
}

#[derive(Debug)]
struct Poll {
    reader: EventReader,
    interval: Duration,
    head: watch::Sender<Head>,
    /// Whether a task looks at the head.
    running: Mutex<bool>,
}

type Head = Result<u64, EventLogError>;

/// A feed that waits for the head to move.
#[derive(Debug)]
pub(super) struct Follower(watch::Receiver<Head>);

impl HeadWatch {
    pub(super) fn new(reader: EventReader, interval: Duration, runtime: Handle) -> Self {
        let (head, _) = watch::channel(Ok(0));
        let poll = Poll { reader, interval, head, running: Mutex::new(false) };
        Self { runtime, poll: Arc::new(poll) }
    }

    pub(super) fn follow(&self) -> Follower {
        let mut running = self.poll.running();
        // A failure concerns those who waited then.
        self.poll.head.send_if_modified(|head| {
            if head.is_err() {
                *head = Ok(0);
            }
            false
        });
        let follower = Follower(self.poll.head.subscribe());
        if !*running {
            *running = true;
            self.runtime.spawn(Arc::clone(&self.poll).run());
        }
        follower
    }
}

impl Poll {
    fn running(&self) -> MutexGuard<'_, bool> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        while self.is_watched() {
            let found = in_time(self.reader.head()).await;
            self.head.send_if_modified(|head| {
                let news = match (&*head, &found) {
                    (Ok(before), Ok(now)) => before != now,
                    _ => true,
                };
                *head = found;
                news
            });
            sleep(self.interval).await;
        }
    }

    fn is_watched(&self) -> bool {
        let mut running = self.running();
        *running = self.head.receiver_count() > 0;
        *running
    }
}

impl Follower {
    /// The head, as soon as it is beyond `position`; an error when it cannot be read.
    pub(super) async fn beyond(&mut self, position: u64) -> Head {
        match self.0.wait_for(|head| !matches!(head, Ok(head) if *head <= position)).await {
            Ok(head) => head.clone(),
            Err(closed) => Err(EventLogError::Internal(Arc::new(closed))),
        }
    }
}
