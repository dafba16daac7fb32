//! The whole event log, read by data teams' ways, at several lengths: `GET /v1/events` and `projector replay`, beside a
//! client of MySQL that reads the same rows and does nothing with them.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures::TryStreamExt;
use marquee_infra::mysql::accounts::Account;
use marquee_tests::{
    Marquee,
    client::http,
    jwt,
    servers::{binaries, program},
};
use serde::Serialize;
use sqlx::{Connection, MySqlConnection, Row};

use super::{
    cpu::{CpuWatch, forget_peak, peak_memory_mib},
    machine::ServerProcesses,
    passes::{self, Pass, as_float},
    report::{Report, median},
    seed::{Layout, Log},
    table::{Table, count},
};

const MIN_ROUNDS: usize = 3;
/// A short log is read again and again, for so long.
const MEASURED_AT_LEAST: f64 = 2.0;
/// Of one reading: longer than the log takes.
const FEED_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub feed: bool,
    pub replay: bool,
}

#[derive(Serialize)]
struct Read {
    bytes: u64,
    #[serde(flatten)]
    pass: Pass,
}

pub async fn run(
    marquee: &Marquee,
    sizes: &[u64],
    wanted: Wanted,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut log = Log::begin(marquee, Layout::Together).await?;
    if wanted.feed {
        marquee.query_api.start_ready().await;
    }
    let table = Table::begin(
        "The whole event log",
        &[
            "events   ",
            "                            ",
            "events/s",
            "of the rounds",
            "MB/s",
            "us per event: process",
            "MySQL",
            "peak memory, MiB",
        ],
    );
    let mut seeding = Vec::new();
    for &size in sizes {
        seeding.push((size, log.extend_to(size).await?));
        let mut reads =
            vec![("MySQL's client protocol", rounds(async || raw(marquee, servers).await).await?)];
        if wanted.feed {
            reads.push(("GET /v1/events", rounds(async || feed(marquee, servers).await).await?));
        }
        if wanted.replay {
            let folder = binaries().join("marquee-tests").join(format!("{}replay", marquee.prefix));
            fs::create_dir_all(&folder)?;
            let file = folder.join("events.ndjson");
            let replays = rounds(async || replay(marquee, &file, servers).await).await;
            fs::remove_dir_all(&folder)?;
            reads.push(("projector replay, NDJSON file", replays?));
        }
        for (name, rounds) in reads {
            for (number, round) in rounds.iter().enumerate() {
                let read = round.pass.events;
                ensure!(read == log.events, "{name} read {read} events");
                report.line("log", &size.to_string(), name, number + 1, round)?;
            }
            print(&table, size, name, &rounds);
        }
    }
    let seeding = seeding
        .into_iter()
        .map(|(size, seconds)| format!("to {} events in {seconds:.1} s", count(as_float(size))));
    println!(
        "\nThe log was filled by INSERT ... SELECT: {}.",
        seeding.collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

/// Once unmeasured, then as often as it takes.
async fn rounds<F>(mut read: impl FnMut() -> F) -> anyhow::Result<Vec<Read>>
where
    F: Future<Output = anyhow::Result<Read>>,
{
    read().await?;
    let mut rounds: Vec<Read> = Vec::new();
    while rounds.len() < MIN_ROUNDS
        || rounds.iter().map(|round| round.pass.seconds).sum::<f64>() < MEASURED_AT_LEAST
    {
        rounds.push(read().await?);
    }
    Ok(rounds)
}

/// What MySQL and sqlx give without any of our code.
async fn raw(marquee: &Marquee, servers: ServerProcesses) -> anyhow::Result<Read> {
    let mut connection = MySqlConnection::connect(&marquee.database.url()).await?;
    let mut watched = servers.alone();
    watched.insert("process", std::process::id());
    let (watch, started) = (CpuWatch::start(&watched), Instant::now());
    let mut rows = sqlx::query(
        "SELECT position, aggregate_id, sequence, event_type, CAST(payload AS CHAR) AS payload, \
         CAST(metadata AS CHAR) AS metadata, recorded_at FROM events ORDER BY position",
    )
    .fetch(&mut connection);
    let (mut events, mut bytes) = (0, 0);
    while let Some(row) = rows.try_next().await? {
        events += 1;
        bytes += row.try_get::<&str, _>("payload")?.len() as u64;
        bytes += row.try_get::<&str, _>("metadata")?.len() as u64;
    }
    let seconds = started.elapsed().as_secs_f64();
    let pass = Pass { events, seconds, peak_memory_mib: None, cpu: watch.stop() };
    Ok(Read { bytes, pass })
}

/// As an ordinary HTTP client reads it, to its end.
async fn feed(marquee: &Marquee, servers: ServerProcesses) -> anyhow::Result<Read> {
    let url = format!("{}/v1/events?after=0", marquee.query_api.url());
    let pid = marquee.query_api.pid();
    forget_peak(pid).context("asking Linux to forget the most memory")?;
    let mut watched = servers.alone();
    watched.insert("process", pid);
    let (watch, started) = (CpuWatch::start(&watched), Instant::now());
    let request = http().get(url).bearer_auth(jwt::with_scope("events:read"));
    let request = request.header("Accept", "application/x-ndjson").timeout(FEED_TIMEOUT);
    let mut answer = request.send().await?;
    ensure!(answer.status() == 200, "/v1/events answered {}", answer.status());
    let (mut events, mut bytes) = (0, 0);
    while let Some(chunk) = answer.chunk().await? {
        bytes += chunk.len() as u64;
        events += lines(&chunk);
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = watch.stop();
    let pass = Pass { events, seconds, peak_memory_mib: peak_memory_mib(pid), cpu };
    Ok(Read { bytes, pass })
}

/// The process's whole life, with its start and the manifest at its end.
async fn replay(marquee: &Marquee, file: &Path, servers: ServerProcesses) -> anyhow::Result<Read> {
    let mut command = Command::new(program("projector"));
    command
        .args(["replay", "--overwrite", "--sink", "ndjson", "--out"])
        .arg(file)
        .env("DATABASE_URL", marquee.database.url_of(Account::Projector, None))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let pass = passes::of_process(command, 0, servers).await?;
    let mut events = 0;
    let mut text = BufReader::with_capacity(1 << 20, fs::File::open(file)?);
    while let chunk = text.fill_buf()?
        && !chunk.is_empty()
    {
        events += lines(chunk);
        let length = chunk.len();
        text.consume(length);
    }
    let bytes = fs::metadata(file)?.len();
    Ok(Read { bytes, pass: Pass { events, ..pass } })
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

fn print(table: &Table, size: u64, name: &str, rounds: &[Read]) {
    let megabytes = rounds.iter().map(|round| as_float(round.bytes) / 1e6 / round.pass.seconds);
    let megabytes = format!("{:.1}", median(megabytes));
    let passes: Vec<&Pass> = rounds.iter().map(|round| &round.pass).collect();
    let [rate, range] = passes::rates(&passes);
    table.row(&[
        count(as_float(size)),
        name.to_owned(),
        rate,
        range,
        megabytes,
        passes::cost(&passes, "process"),
        passes::cost(&passes, "mysql"),
        passes::peak_memory(&passes),
    ]);
}
