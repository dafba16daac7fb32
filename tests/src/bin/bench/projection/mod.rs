//! Read models from a whole log, at several lengths: live, from Kafka; and in `projector rebuild catalog`, from MySQL.
//! Beside them, cqrs-es's `GenericQuery` with mysql-es's `MysqlViewRepository`, on the same events in the same MySQL.

mod generic_query;
mod live;

use std::{process::Stdio, time::Duration};

use anyhow::ensure;
use generic_query::By;
pub use live::fill_topic;
use marquee_tests::{Marquee, Setup};

use super::{
    cpu::CpuUse,
    machine::ServerProcesses,
    passes::{self, Pass, as_float},
    report::{Report, median},
    rounds::Plan,
    seed::{Layout, Log},
    table::{Budget, Table, count},
};

/// Beyond that, one round more would tell little.
const MEASURED_ENOUGH: f64 = 60.0;
/// mysql-es's sides end after so long, wherever they are then.
const THEIRS: Duration = Duration::from_secs(15);
const THEIRS_IN_BRIEF: Duration = Duration::from_secs(3);
/// Commands that are answered at the same time, each of which waits for its views.
const COMMANDS_AT_ONCE: u64 = 32;

/// Events per second in a rebuild.
const REBUILD: Budget = Budget::AtLeast(20_000.0);

const LIVE: &str = "marquee, live";
/// Of a rebuild, how long it took to make the tables and to fill them.
const FILLED: &str = "marquee, rebuild: tables filled";
/// With its start, the comparison with the live tables and the swap.
const REBUILT: &str = "marquee, rebuild: whole command";
const ONE_COMMAND: &str = "GenericQuery, one command at a time";
const MANY_COMMANDS: &str = "GenericQuery, 32 commands at once";
const REPLAY: &str = "GenericQuery, QueryReplay";
const SIDES: [&str; 6] = [LIVE, FILLED, REBUILT, ONE_COMMAND, MANY_COMMANDS, REPLAY];

type Measured = Vec<(&'static str, Pass)>;

pub async fn run(
    setup: &Setup,
    sizes: &[u64],
    plan: Plan,
    servers: ServerProcesses,
    report: &mut Report,
) -> anyhow::Result<()> {
    let table = Table::begin(
        "Projecting a whole log into read models",
        &[
            "events   ",
            "a movie's events are",
            "                                   ",
            "events/s",
            "of the rounds",
            "us per event",
            "us of CPU per event: process",
            "MySQL",
            "Kafka",
            "peak memory, MiB",
        ],
    );
    let mut rebuilds = Vec::new();
    for layout in [Layout::Together, Layout::Apart] {
        for &size in sizes {
            let mut measured = Measured::new();
            for round in 0..plan.rounds {
                if seconds(&measured) > MEASURED_ENOUGH {
                    break;
                }
                // Each with tables and topics that nobody has written yet.
                let marquee = Marquee::prepare(setup.clone()).await;
                measured.extend(ours(&marquee, layout, size, servers).await?);
                if round == 0 && layout == Layout::Together {
                    let limit = if plan.brief { THEIRS_IN_BRIEF } else { THEIRS };
                    measured.extend(theirs(&marquee, servers, limit).await?);
                }
            }
            rebuilds.push(print(&table, layout, size, &measured));
            for side in SIDES {
                let passes = measured.iter().filter(|(name, _)| *name == side);
                for (number, (_, pass)) in passes.enumerate() {
                    let setting = format!("{size} {layout:?}");
                    report.line("projection", &setting, side, number + 1, pass)?;
                }
            }
        }
    }
    println!("\nEvents/s in a rebuild, in this order: {}", rebuilds.join(", "));
    Ok(())
}

fn seconds(measured: &Measured) -> f64 {
    measured.iter().map(|(_, pass)| pass.seconds).sum()
}

async fn ours(
    marquee: &Marquee,
    layout: Layout,
    size: u64,
    servers: ServerProcesses,
) -> anyhow::Result<Measured> {
    let mut log = Log::begin(marquee, layout).await?;
    log.extend_to(size).await?;
    fill_topic(&marquee.command_api, log.events).await?;
    let live = live::measure(&marquee.projector, log.events, servers).await?;
    check(marquee, &log).await?;
    let mut command = marquee.rebuild_command(&["rebuild", "catalog"]).into_std();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let rebuilt = passes::of_process(command, log.events, servers).await?;
    check(marquee, &log).await?;
    let filled = filled(marquee, log.events).await?;
    Ok(vec![(LIVE, live), (FILLED, filled), (REBUILT, rebuilt)])
}

/// What the tables that were swapped in tell of themselves.
async fn filled(marquee: &Marquee, events: u64) -> anyhow::Result<Pass> {
    let microseconds = marquee
        .database
        .number("SELECT TIMESTAMPDIFF(MICROSECOND, begun_at, updated_at) FROM catalog_contents")
        .await;
    let seconds = as_float(microseconds) / 1e6;
    Ok(Pass { events, seconds, peak_memory_mib: None, cpu: CpuUse::default() })
}

/// Every event was applied once, and nothing was parked.
async fn check(marquee: &Marquee, log: &Log) -> anyhow::Result<()> {
    let database = &marquee.database;
    let movies = database.number("SELECT COUNT(*) FROM catalog_movies").await;
    let applied = database.number("SELECT COALESCE(SUM(version), 0) FROM catalog_movies").await;
    let entries = database.number("SELECT COUNT(*) FROM movie_history").await;
    let found = (movies, applied, entries);
    let expected = (log.movies(), log.events, log.events);
    ensure!(found == expected, "movies, events, history: {found:?}, not {expected:?}");
    Ok(())
}

async fn theirs(
    marquee: &Marquee,
    servers: ServerProcesses,
    limit: Duration,
) -> anyhow::Result<Measured> {
    let commands = generic_query::commands(marquee).await?;
    let mut measured = Measured::new();
    for (name, by) in [
        (ONE_COMMAND, By::Commands { senders: 1, commands: commands.clone() }),
        (MANY_COMMANDS, By::Commands { senders: COMMANDS_AT_ONCE, commands }),
        (REPLAY, By::Replay),
    ] {
        measured.push((name, generic_query::measure(marquee, by, limit, servers).await?));
    }
    Ok(measured)
}

/// Answers the rate of a rebuild, judged.
fn print(table: &Table, layout: Layout, size: u64, measured: &Measured) -> String {
    let mut rebuild = String::new();
    for name in SIDES {
        let of = measured.iter().filter(|(side, _)| *side == name);
        let passes: Vec<&Pass> = of.map(|(_, pass)| pass).collect();
        if passes.is_empty() {
            continue;
        }
        let [rate, range] = passes::rates(&passes);
        let per_second = median(passes.iter().map(|pass| pass.per_second()));
        if name == REBUILT {
            rebuild = Budget::judge(Some(REBUILD), per_second.round());
        }
        table.row(&[
            count(as_float(size)),
            match layout {
                Layout::Together => "together".to_owned(),
                Layout::Apart => "far apart".to_owned(),
            },
            name.to_owned(),
            rate,
            range,
            format!("{:.1}", 1e6 / per_second),
            passes::cost(&passes, "process"),
            passes::cost(&passes, "mysql"),
            passes::cost(&passes, "kafka"),
            passes::peak_memory(&passes),
        ]);
    }
    rebuild
}
