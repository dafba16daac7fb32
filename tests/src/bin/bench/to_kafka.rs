//! From a command's commit to its event at a read_committed consumer: Marquee's relay, a publisher that polls an
//! outbox, and Debezium.
//!
//! One process sends the commands and consumes the topic, so there is one clock. What counts is the time from the
//! arrival of the command's answer (201: it is committed) to the arrival of its event. An event that is there before
//! the answer counts as 0. From the sending of the command on, the same events are counted in full.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use marquee_tests::{Marquee, service::Service};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{
    arrivals::Arrivals,
    baseline::{Baseline, Store},
    client::Connection,
    commands::Requests,
    cpu::{CpuUse, Processes},
    debezium::Debezium,
    load::{Exchange, histogram, milliseconds},
    machine::ServerProcesses,
    report::{Report, median},
    rounds::Plan,
    steps::Steps,
    table::{Budget, Table, count},
};

pub const PER_SECOND: f64 = 200.0;
const CLIENTS: usize = 32;
const BUDGET: Budget = Budget::AtMost(15.0);
/// How long Debezium takes to start, at most; and how long the last event, once all were answered.
const PATIENCE: Duration = Duration::from_secs(120);
const INTERVAL: Duration = Duration::from_millis(200);

struct Publisher<'a> {
    name: &'static str,
    service: &'a Service,
    arrivals: Arrivals,
    watched: Processes,
    rounds: Vec<Round>,
}

#[derive(Serialize)]
struct Round {
    per_second: f64,
    answer: Quantiles,
    answer_to_kafka: Quantiles,
    command_to_kafka: Quantiles,
    cpu: CpuUse,
}

#[derive(Clone, Copy, Serialize)]
struct Quantiles {
    p50_ms: f64,
    p99_ms: f64,
}

impl From<&Histogram<u64>> for Quantiles {
    fn from(times: &Histogram<u64>) -> Self {
        Self { p50_ms: milliseconds(times, 0.5), p99_ms: milliseconds(times, 0.99) }
    }
}

/// Leaves command-api ended.
pub async fn run(
    marquee: &Marquee,
    plan: Plan,
    servers: ServerProcesses,
    with_debezium: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    marquee.command_api.start_ready().await;
    let requests = Requests::default();
    let polled = Baseline::start(Store::PolledOutbox).await?;
    let mut ours = Publisher::new(
        "marquee",
        &marquee.command_api,
        Arrivals::of(&marquee.topics.movies)?,
        servers,
    );
    let mut polling = Publisher::new(
        "outbox polled every 100 ms",
        &polled.service,
        Arrivals::of(&polled.topic)?,
        servers,
    );
    let table = begin();
    for publisher in [&mut ours, &mut polling] {
        publisher.wait_until_published(&requests, || Ok(())).await?;
        publisher.warm_up(&requests, plan).await?;
    }
    let address = marquee.command_api.address().parse()?;
    let before = Steps::read(address).await?;
    for _ in 0..plan.rounds {
        for publisher in [&mut ours, &mut polling] {
            publisher.measure(&requests, plan).await?;
        }
    }
    let steps = Steps::read(address).await?.since(&before);
    ours.report(&table, Some(BUDGET), report)?;
    polling.report(&table, None, report)?;
    drop(polling);
    drop(polled);
    // Not while Debezium is measured.
    marquee.command_api.kill();
    if with_debezium {
        for (name, poll_interval_ms) in
            [("Debezium, poll.interval.ms 5", 5), ("Debezium, default 500", 500)]
        {
            let measured =
                debezium(name, poll_interval_ms, &requests, plan, servers, &table, report).await;
            if let Err(error) = measured {
                println!("\n{name} was NOT measured: {error:#}");
            }
        }
    }
    println!("\nmarquee: {steps}");
    Ok(())
}

/// Not in turns with the others: reading the binary log it would work in their rounds, too.
async fn debezium(
    name: &'static str,
    poll_interval_ms: u32,
    requests: &Requests,
    plan: Plan,
    servers: ServerProcesses,
    table: &Table,
    report: &mut Report,
) -> anyhow::Result<()> {
    let baseline = Baseline::start(Store::Outbox).await?;
    let arrivals = Arrivals::of(&baseline.topic)?;
    let mut debezium = Debezium::start(&baseline, poll_interval_ms)?;
    let mut publisher = Publisher::new(name, &baseline.service, arrivals, servers);
    publisher.watched.insert("debezium", debezium.pid());
    publisher.wait_until_published(requests, || debezium.check()).await?;
    publisher.warm_up(requests, plan).await?;
    for _ in 0..plan.rounds {
        publisher.measure(requests, plan).await?;
    }
    publisher.report(table, None, report)
}

fn begin() -> Table {
    Table::begin(
        &format!("Commit to Kafka, at {PER_SECOND} commands/s"),
        &[
            "                            ",
            "commands/s",
            "answer p50 ms",
            "p99",
            "answer to consumer p50 ms",
            "p99",
            "command to consumer p50 ms",
            "p99",
            "us per command: service",
            "MySQL",
            "Kafka",
            "Debezium",
            "cores busy",
        ],
    )
}

#[derive(Deserialize)]
struct Created {
    movie_id: String,
}

/// A command that was answered.
struct Command {
    movie_id: String,
    sent: Instant,
    answered: Instant,
}

impl<'a> Publisher<'a> {
    fn new(
        name: &'static str,
        service: &'a Service,
        arrivals: Arrivals,
        servers: ServerProcesses,
    ) -> Self {
        Self { name, service, arrivals, watched: servers.with(service), rounds: Vec::new() }
    }

    /// Sends commands until the event of one of them arrives.
    async fn wait_until_published(
        &self,
        requests: &Requests,
        mut check: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let load = requests.load(self.service, 1)?;
        let mut connection = Connection::open(load.address).await?;
        let mut sent = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while !sent.iter().any(|movie_id: &String| self.arrivals.get(movie_id).is_some()) {
            ensure!(Instant::now() < deadline, "{} published nothing in {PATIENCE:?}", self.name);
            check()?;
            let answer = connection.exchange(&(load.next)(0)).await?;
            let created: Created = serde_json::from_slice(answer.body)?;
            sent.push(created.movie_id);
            sleep(INTERVAL).await;
        }
        Ok(())
    }

    /// A round that does not count: a Java process becomes fast only by working.
    async fn warm_up(&mut self, requests: &Requests, plan: Plan) -> anyhow::Result<()> {
        self.measure(requests, plan).await?;
        self.rounds.clear();
        Ok(())
    }

    async fn measure(&mut self, requests: &Requests, plan: Plan) -> anyhow::Result<()> {
        let answered = Arc::<Mutex<Vec<Command>>>::default();
        let load = requests.load(self.service, CLIENTS)?;
        let load = load.paced(PER_SECOND).watching(self.watched.clone()).showing(Arc::new({
            let answered = Arc::clone(&answered);
            move |Exchange { sent, answered: at, body }| {
                let Ok(created) = serde_json::from_slice::<Created>(body) else { return };
                let command = Command { movie_id: created.movie_id, sent, answered: at };
                answered.lock().unwrap_or_else(PoisonError::into_inner).push(command);
            }
        }));
        let run = move || load.run(plan.timing);
        let measured = tokio::task::spawn_blocking(run).await??;
        let commands =
            std::mem::take(&mut *answered.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut after_answer, mut after_command) = (histogram(), histogram());
        for command in commands {
            let arrived = self.arrival(&command.movie_id).await?;
            // A histogram begins at a microsecond, which is what an event before its answer counts.
            let nanoseconds =
                |since: Instant| u64::try_from(arrived.saturating_duration_since(since).as_nanos());
            after_answer.saturating_record(nanoseconds(command.answered)?);
            after_command.saturating_record(nanoseconds(command.sent)?);
        }
        self.rounds.push(Round {
            per_second: measured.per_second,
            answer: Quantiles::from(&measured.latency),
            answer_to_kafka: Quantiles::from(&after_answer),
            command_to_kafka: Quantiles::from(&after_command),
            cpu: measured.cpu,
        });
        Ok(())
    }

    async fn arrival(&self, movie_id: &str) -> anyhow::Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(arrived) = self.arrivals.get(movie_id) {
                return Ok(arrived);
            }
            ensure!(
                Instant::now() < deadline,
                "{}: the event of movie {movie_id} is not on Kafka after {PATIENCE:?}",
                self.name
            );
            sleep(INTERVAL).await;
        }
    }

    fn report(
        &self,
        table: &Table,
        budget: Option<Budget>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let of = |figure: &dyn Fn(&Round) -> f64| median(self.rounds.iter().map(figure));
        let mut cells = vec![
            self.name.to_owned(),
            count(of(&|round| round.per_second)),
            format!("{:.2}", of(&|round| round.answer.p50_ms)),
            format!("{:.2}", of(&|round| round.answer.p99_ms)),
            format!("{:.2}", of(&|round| round.answer_to_kafka.p50_ms)),
            Budget::judge(budget, of(&|round| round.answer_to_kafka.p99_ms)),
            format!("{:.2}", of(&|round| round.command_to_kafka.p50_ms)),
            format!("{:.2}", of(&|round| round.command_to_kafka.p99_ms)),
        ];
        for process in ["service", "mysql", "kafka", "debezium"] {
            cells.push(if self.watched.contains_key(process) {
                let cores = |round: &Round| round.cpu.processes.get(process).copied();
                count(of(&|round| 1e6 * cores(round).unwrap_or_default() / round.per_second))
            } else {
                "-".to_owned()
            });
        }
        cells.push(format!("{:.2}", of(&|round| round.cpu.machine)));
        table.row(&cells);
        let setting = format!("{PER_SECOND} commands/s");
        for (round, figures) in self.rounds.iter().enumerate() {
            report
                .line("commit to kafka", &setting, self.name, round + 1, figures)
                .context("writing the figures")?;
        }
        Ok(())
    }
}
