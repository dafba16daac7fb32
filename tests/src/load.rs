//! Clients that change the catalog one command after the other, each repeated, at whichever process answers, until it
//! is acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    admin::acknowledged,
    checker::Acknowledged,
    client::{Answer, Api},
    samples,
    wait::{in_time, until},
};

/// A process that does not answer for so long is asked no further: another one may.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of one movie, before its client goes on to the next.
const REVISIONS: u64 = 4;

/// How hard the clients work.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub clients: usize,
    /// Of all clients together; as many as they can when absent.
    pub commands_per_second: Option<f64>,
    /// How long a synopsis every command brings along: most of its event's size.
    pub synopsis_chars: usize,
}

impl Pace {
    /// As fast as they are answered.
    pub const fn of(clients: usize) -> Self {
        Self { clients, commands_per_second: None, synopsis_chars: 40 }
    }

    #[must_use]
    pub const fn per_second(self, commands: f64) -> Self {
        Self { commands_per_second: Some(commands), ..self }
    }

    #[must_use]
    pub const fn with_synopses_of(self, synopsis_chars: usize) -> Self {
        Self { synopsis_chars, ..self }
    }
}

/// A command that was acknowledged.
#[derive(Debug, Clone)]
pub struct Told {
    pub acknowledged: Acknowledged,
    /// When it was to be sent, and how long it took from then on: a client that is late counts the delay.
    pub due: Instant,
    pub took: Duration,
    /// How often it was sent.
    pub attempts: usize,
}

#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: JoinSet<Vec<Told>>,
}

impl Load {
    /// The clients start with different ones of `processes`, and go on to the next when one fails them.
    pub fn start(processes: &[Api], pace: Pace) -> Self {
        let (stop, done) = (Arc::default(), Arc::default());
        let mut clients = JoinSet::new();
        for number in 0..pace.clients {
            let mut processes = processes.to_vec();
            let first = number % processes.len();
            processes.rotate_left(first);
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            let client = Client { processes, synopsis_chars: pace.synopsis_chars, stop, done };
            clients.spawn(client.work(Beat::new(pace, number)));
        }
        Self { stop, done, clients }
    }

    /// How many commands were acknowledged so far.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// The same number, for somebody else to watch.
    pub fn counter(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.done)
    }

    /// Waits until so many more were acknowledged.
    pub async fn more(&self, count: usize) {
        let enough = self.done() + count;
        until(&format!("{count} more commands are acknowledged"), async || {
            (self.done() >= enough).then_some(())
        })
        .await;
    }

    /// Ends it, and tells what was promised.
    ///
    /// # Panics
    /// When a client got an answer that it must not get.
    pub async fn stop(self) -> Vec<Told> {
        self.stop.store(true, Ordering::SeqCst);
        let clients = in_time("the last commands are acknowledged", self.clients.join_all()).await;
        clients.into_iter().flatten().collect()
    }
}

/// When a client's commands are due.
struct Beat(Option<tokio::time::Interval>);

impl Beat {
    fn new(pace: Pace, number: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "there are few clients")]
        let (clients, number) = (pace.clients as f64, number as f64);
        Self(pace.commands_per_second.map(|rate| {
            let first = Instant::now() + Duration::from_secs_f64(number / rate);
            let mut interval = interval_at(first, Duration::from_secs_f64(clients / rate));
            interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
            interval
        }))
    }

    async fn next(&mut self) -> Instant {
        match &mut self.0 {
            Some(interval) => interval.tick().await,
            None => Instant::now(),
        }
    }
}

struct Client {
    processes: Vec<Api>,
    synopsis_chars: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
}

impl Client {
    async fn work(self, mut beat: Beat) -> Vec<Told> {
        let mut told: Vec<Told> = Vec::new();
        let mut movie: Option<(String, u64)> = None;
        while !self.stop.load(Ordering::SeqCst) {
            let due = beat.next().await;
            let command = match &movie {
                Some((id, _)) => Command::revise(id, self.synopsis_chars),
                None => Command::create(self.synopsis_chars),
            };
            let (acknowledged, attempts) = self.carry_out(&command).await;
            movie = match movie {
                None => Some((acknowledged.movie_id.clone(), 1)),
                Some((_, REVISIONS)) => None,
                Some((id, revisions)) => Some((id, revisions + 1)),
            };
            told.push(Told { acknowledged, due, took: due.elapsed(), attempts });
            self.done.fetch_add(1, Ordering::SeqCst);
        }
        told
    }

    async fn carry_out(&self, command: &Command) -> (Acknowledged, usize) {
        let attempts = AtomicUsize::new(0);
        let told = until(&format!("{} is acknowledged", command.operation), async || {
            let attempt = attempts.fetch_add(1, Ordering::SeqCst);
            command.attempt(&self.processes[attempt % self.processes.len()]).await
        })
        .await;
        (told, attempts.into_inner())
    }
}

struct Command {
    /// Sent as Idempotency-Key and as X-Request-Id, which the log keeps.
    operation: String,
    /// None: a movie that is not there yet.
    movie_id: Option<String>,
    body: Value,
}

impl Command {
    fn create(synopsis_chars: usize) -> Self {
        let tag = samples::tag();
        let mut body = samples::movie(&format!("Load {tag}"));
        body["synopsis"] = json!(synopsis(&tag, synopsis_chars));
        Self { operation: format!("create-{tag}"), movie_id: None, body }
    }

    fn revise(movie_id: &str, synopsis_chars: usize) -> Self {
        let tag = samples::tag();
        // Different from before, so that it is an event.
        let body = json!({ "synopsis": synopsis(&tag, synopsis_chars) });
        Self { operation: format!("revise-{tag}"), movie_id: Some(movie_id.to_owned()), body }
    }

    /// The promise, if the answer is one; a refusal to work just now, a broken connection and no answer in time are
    /// none.
    async fn attempt(&self, process: &Api) -> Option<Acknowledged> {
        let request = match &self.movie_id {
            None => process.post("/v1/movies"),
            Some(id) => process.patch(&format!("/v1/movies/{id}")),
        };
        let request = request.idempotency_key(&self.operation).json(&self.body).timeout(PATIENCE);
        let answer = request.header("X-Request-Id", &self.operation).try_send().await.ok()?;
        self.promise(&answer)
    }

    fn promise(&self, answer: &Answer) -> Option<Acknowledged> {
        match answer.status {
            200 | 201 => Some(acknowledged(&self.operation, answer)),
            503 => None,
            _ => panic!("{}: {answer:?}", self.operation),
        }
    }
}

fn synopsis(tag: &str, chars: usize) -> String {
    format!("{tag} {:.<1$}", "", chars.saturating_sub(tag.len() + 1))
}
