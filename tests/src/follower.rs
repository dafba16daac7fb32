//! A read_committed consumer that follows the movies topic while other things happen to it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::error::KafkaError;

use crate::{
    checker::TopicRecord,
    topic::{self, Reader, Record},
    wait::until,
};

const POLL: Duration = Duration::from_millis(100);

/// Reads from the beginning on, until it is asked for what it has seen.
#[derive(Debug)]
pub struct Follower {
    seen: Arc<Mutex<Vec<TopicRecord>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// The topic may be made later.
    pub async fn start(topic: &str) -> Self {
        let name = topic.to_owned();
        let reader = until(&format!("{topic} is there"), async || {
            let name = name.clone();
            tokio::task::spawn_blocking(move || assigned(&name)).await.expect("it does not panic")
        })
        .await;
        let (seen, stop) = (Arc::default(), Arc::default());
        let thread = thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || follow(&reader, &seen, &stop)
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// How many records it has seen.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All records, each partition's in the order they came.
    ///
    /// # Panics
    /// When reading failed.
    pub fn stop(mut self) -> Vec<TopicRecord> {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the topic can be read to the end");
        }
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Its consumer, if the topic is there yet.
fn assigned(topic: &str) -> Option<Reader> {
    let (reader, assignment) = topic::reader(topic).expect("Kafka answers");
    (assignment.count() > 0).then_some(reader)
}

fn follow(reader: &Reader, seen: &Mutex<Vec<TopicRecord>>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        match reader.poll(POLL) {
            Some(Ok(message)) => {
                let record = TopicRecord::from(&Record::read(&message));
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(record);
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => panic!("the topic cannot be followed: {error}"),
        }
    }
}
