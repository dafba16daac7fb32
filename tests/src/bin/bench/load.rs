//! Load on one server: so many clients, each with a connection of its own and one request in flight.

use std::{
    net::SocketAddr,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use hdrhistogram::Histogram;

use super::{
    client::Connection,
    cpu::{CpuUse, CpuWatch, Processes},
};

/// From a microsecond to a minute, in nanoseconds, with three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("the bounds are in order")
}

/// Makes the next request of the client with this number, counted from 0.
pub type NextRequest = Arc<dyn Fn(usize) -> Arc<[u8]> + Send + Sync>;
/// Is shown every answer of the measured time.
pub type OnAnswer = Arc<dyn Fn(Exchange<'_>) + Send + Sync>;

#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// When it was sent; of a request that was held up by the answer before: when it was due.
    pub sent: Instant,
    pub answered: Instant,
    pub body: &'a [u8],
}

#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub next: NextRequest,
    pub expected_status: u16,
    pub clients: usize,
    /// Requests per second of all clients together; as many as the server takes when absent.
    pub per_second: Option<f64>,
    pub on_answer: Option<OnAnswer>,
    /// Whose CPU time is to be told.
    pub watched: Processes,
}

impl Load {
    pub fn new(
        address: SocketAddr,
        next: NextRequest,
        expected_status: u16,
        clients: usize,
    ) -> Self {
        Self {
            address,
            next,
            expected_status,
            clients,
            per_second: None,
            on_answer: None,
            watched: Processes::new(),
        }
    }

    pub fn watching(self, watched: Processes) -> Self {
        Self { watched, ..self }
    }

    pub fn showing(self, on_answer: OnAnswer) -> Self {
        Self { on_answer: Some(on_answer), ..self }
    }

    pub fn paced(self, per_second: f64) -> Self {
        Self { per_second: Some(per_second), ..self }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Runs first, unmeasured.
    pub warm_up: Duration,
    pub measured: Duration,
}

#[derive(Debug, Clone)]
pub struct Measurement {
    pub per_second: f64,
    pub latency: Histogram<u64>,
    pub cpu: CpuUse,
}

impl Measurement {
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        milliseconds(&self.latency, quantile)
    }
}

pub fn milliseconds(latency: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_nanos(latency.value_at_quantile(quantile)).as_secs_f64() * 1e3
}

/// When the clients of a paced load send: evenly spread, not all at once.
pub struct Pace {
    due: Instant,
    interval: Duration,
}

impl Pace {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred clients")]
    pub fn of_client(client: usize, clients: usize, per_second: f64) -> Self {
        let interval = Duration::from_secs_f64(clients as f64 / per_second);
        Self { due: Instant::now() + interval.mul_f64(client as f64 / clients as f64), interval }
    }

    /// Waits for the next turn, and answers when it began: when it was due, if that is past.
    pub async fn next(&mut self) -> Instant {
        let due = self.due;
        self.due += self.interval;
        if Instant::now() >= due {
            // The server held the client up.
            return due;
        }
        // The timer wakes up to a millisecond late, which is not the server's doing.
        tokio::time::sleep_until(due.into()).await;
        Instant::now()
    }
}

#[derive(Clone, Copy)]
struct Window {
    measured_from: Instant,
    end: Instant,
}

impl Load {
    /// Blocks until it is over. Any answer but the expected one is an error.
    pub fn run(&self, timing: Timing) -> anyhow::Result<Measurement> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let thread_count = cores.min(self.clients);
        // All connections are open before the clock starts.
        let ready = Barrier::new(thread_count + 1);
        thread::scope(|scope| {
            let ready = &ready;
            let threads: Vec<_> = (0..thread_count)
                .map(|index| {
                    scope.spawn(move || self.run_thread(index, thread_count, ready, timing))
                })
                .collect();
            ready.wait();
            thread::sleep(timing.warm_up);
            let cpu = CpuWatch::start(&self.watched);
            thread::sleep(timing.measured);
            let cpu = cpu.stop();
            let mut latency = histogram();
            for thread in threads {
                latency.add(thread.join().expect("a client does not panic")?)?;
            }
            ensure!(!latency.is_empty(), "no request was answered in time");
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52 requests")]
            let per_second = latency.len() as f64 / timing.measured.as_secs_f64();
            Ok(Measurement { per_second, latency, cpu })
        })
    }

    /// A share of the clients, on one thread.
    fn run_thread(
        &self,
        index: usize,
        thread_count: usize,
        ready: &Barrier,
        timing: Timing,
    ) -> anyhow::Result<Histogram<u64>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mine = (index..self.clients).step_by(thread_count);
            let connections = try_join_all(mine.map(|_| Connection::open(self.address))).await;
            ready.wait();
            let started = Instant::now();
            let measured_from = started + timing.warm_up;
            let window = Window { measured_from, end: measured_from + timing.measured };
            let clients = (index..).step_by(thread_count).zip(connections?);
            let clients =
                clients.map(|(client, connection)| self.client(client, connection, window));
            let mut latency = histogram();
            for share in try_join_all(clients).await? {
                latency.add(share)?;
            }
            Ok(latency)
        })
    }

    async fn client(
        &self,
        client: usize,
        mut connection: Connection,
        window: Window,
    ) -> anyhow::Result<Histogram<u64>> {
        let mut latency = histogram();
        let mut pace = self.per_second.map(|rate| Pace::of_client(client, self.clients, rate));
        loop {
            let started = match &mut pace {
                Some(pace) => pace.next().await,
                None => Instant::now(),
            };
            if started >= window.end {
                return Ok(latency);
            }
            let request = (self.next)(client);
            let answer = connection
                .exchange(&request)
                .await
                .with_context(|| format!("{} broke off: see its log", self.address))?;
            let done = Instant::now();
            ensure!(
                answer.status == self.expected_status,
                "{} answered {}: {}",
                self.address,
                answer.status,
                String::from_utf8_lossy(answer.body)
            );
            if done >= window.measured_from && done < window.end {
                let nanoseconds = u64::try_from((done - started).as_nanos())?;
                latency.saturating_record(nanoseconds);
                if let Some(show) = &self.on_answer {
                    show(Exchange { sent: started, answered: done, body: answer.body });
                }
            }
        }
    }
}
