//! From a command's commit to a viewer's read that shows it.
//!
//! Every client revises one of the catalog's movies, and then, as a viewer, asks for that movie until the answer has
//! the version that the command was answered with. What counts is the time between the two answers.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use marquee_tests::{Marquee, jwt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use super::{
    catalog::Created,
    client::{self, Connection},
    cpu::{CpuUse, CpuWatch, Processes},
    load::{Pace, histogram, milliseconds},
    machine::ServerProcesses,
    report::{Report, median},
    rounds::Plan,
    table::{Budget, Table, count},
    to_kafka::PER_SECOND,
};

const CLIENTS: usize = 32;
const BUDGET: Budget = Budget::AtMost(75.0);
/// Between two reads of a viewer who waits: how exactly the time is known.
const READ_INTERVAL: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Round {
    per_second: f64,
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    visible_p50_ms: f64,
    visible_p99_ms: f64,
    cpu: CpuUse,
}

/// All services run, and viewers see the movies.
pub async fn run(
    marquee: &Marquee,
    movies: &[Created],
    plan: Plan,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut watched = servers.with(&marquee.command_api);
    watched.insert("projector", marquee.projector.pid());
    watched.insert("query-api", marquee.query_api.pid());
    let viewers = Viewers {
        commands: marquee.command_api.address().parse()?,
        queries: marquee.query_api.address().parse()?,
        token: jwt::with_scope("catalog:write"),
    };
    let processes = ["service", "mysql", "kafka", "projector", "query-api"];
    let table = Table::begin(
        &format!("Commit to visible, at {PER_SECOND} commands/s"),
        &[
            "commands/s",
            "answer p50 ms",
            "p99",
            "answer to visible p50 ms",
            "p99",
            "us per command: command-api",
            "MySQL",
            "Kafka",
            "projector",
            "query-api",
            "cores busy",
        ],
    );
    let mut rounds = Vec::new();
    for number in 0..plan.rounds {
        let round = viewers.measure(movies, number, plan, &watched).await?;
        let setting = format!("{PER_SECOND} commands/s");
        report.line("commit to visible", &setting, "marquee", number + 1, &round)?;
        rounds.push(round);
    }
    let of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure));
    let mut cells = vec![
        count(of(&|round| round.per_second)),
        format!("{:.2}", of(&|round| round.answer_p50_ms)),
        format!("{:.2}", of(&|round| round.answer_p99_ms)),
        format!("{:.2}", of(&|round| round.visible_p50_ms)),
        Budget::judge(Some(BUDGET), of(&|round| round.visible_p99_ms)),
    ];
    cells.extend(processes.map(|process| {
        let cores = |round: &Round| round.cpu.processes.get(process).copied();
        count(of(&|round| 1e6 * cores(round).unwrap_or_default() / round.per_second))
    }));
    cells.push(format!("{:.2}", of(&|round| round.cpu.machine)));
    table.row(&cells);
    Ok(())
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// The measured time's begin and end.
#[derive(Clone, Copy)]
struct Window(Instant, Instant);

struct Viewers {
    commands: SocketAddr,
    queries: SocketAddr,
    token: String,
}

struct Times {
    answer: Histogram<u64>,
    visible: Histogram<u64>,
}

impl Viewers {
    async fn measure(
        &self,
        movies: &[Created],
        round: usize,
        plan: Plan,
        watched: &Processes,
    ) -> anyhow::Result<Round> {
        let begin = Instant::now() + plan.timing.warm_up;
        let window = Window(begin, begin + plan.timing.measured);
        let clients = (0..CLIENTS).map(|client| {
            // Each has movies of its own, so that a version is one client's doing.
            let mine: Vec<&Created> = movies.iter().skip(client).step_by(CLIENTS).collect();
            self.client(client, mine, round, window)
        });
        let cpu = async {
            tokio::time::sleep_until(window.0.into()).await;
            let watch = CpuWatch::start(watched);
            tokio::time::sleep_until(window.1.into()).await;
            Ok(watch.stop())
        };
        let (cpu, times) = tokio::try_join!(cpu, try_join_all(clients))?;
        let (mut answer, mut visible) = (histogram(), histogram());
        for share in times {
            answer.add(share.answer)?;
            visible.add(share.visible)?;
        }
        ensure!(!visible.is_empty(), "no command was answered in time");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 commands")]
        let per_second = answer.len() as f64 / plan.timing.measured.as_secs_f64();
        Ok(Round {
            per_second,
            answer_p50_ms: milliseconds(&answer, 0.5),
            answer_p99_ms: milliseconds(&answer, 0.99),
            visible_p50_ms: milliseconds(&visible, 0.5),
            visible_p99_ms: milliseconds(&visible, 0.99),
            cpu,
        })
    }

    async fn client(
        &self,
        client: usize,
        movies: Vec<&Created>,
        round: usize,
        Window(begin, end): Window,
    ) -> anyhow::Result<Times> {
        ensure!(!movies.is_empty(), "there are fewer movies than clients ({CLIENTS})");
        let mut commands = Connection::open(self.commands).await?;
        let mut queries = Connection::open(self.queries).await?;
        let mut times = Times { answer: histogram(), visible: histogram() };
        let mut pace = Pace::of_client(client, CLIENTS, PER_SECOND);
        for (number, movie) in movies.iter().cycle().enumerate() {
            let path = format!("/v1/movies/{}", movie.movie_id);
            let revision = json!({ "synopsis": format!("Take {number} of round {round}.") });
            let command = client::patch(self.commands, &path, &self.token, &revision.to_string());
            let read = client::get(self.queries, &path);
            let sent = pace.next().await;
            if sent >= end {
                break;
            }
            let answer = commands.exchange(&command).await?;
            let answered = Instant::now();
            ensure!(
                answer.status == 200,
                "a revision answered {}: {}",
                answer.status,
                String::from_utf8_lossy(answer.body)
            );
            let Versioned { version } = serde_json::from_slice(answer.body)?;
            let visible = wait_for(&mut queries, &read, version).await?;
            if answered >= begin && answered < end {
                let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos());
                times.answer.saturating_record(nanoseconds(answered - sent)?);
                times.visible.saturating_record(nanoseconds(visible - answered)?);
            }
        }
        Ok(times)
    }
}

/// Reads until the movie is that new; answers when it was.
async fn wait_for(queries: &mut Connection, read: &[u8], version: u64) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = queries.exchange(read).await?;
        let now = Instant::now();
        ensure!(answer.status == 200, "a read answered {}", answer.status);
        let shown: Versioned = serde_json::from_slice(answer.body)?;
        if shown.version >= version {
            return Ok(now);
        }
        ensure!(now < deadline, "a command's effect is not visible after {PATIENCE:?}");
        sleep(READ_INTERVAL).await;
    }
}
