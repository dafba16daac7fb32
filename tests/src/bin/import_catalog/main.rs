//! A real catalog goes in: 3,201 films of vega-datasets, in one streamed request, every answer checked; then the same
//! again, and the same under other keys, which must change nothing; then what viewers see of it.
//!
//! `tests/catalog-import/run` fetches the data and sees to the servers.

mod check;
mod films;
mod round;
mod target;

use std::{path::PathBuf, process::ExitCode};

use anyhow::ensure;
use chrono::TimeDelta;
use clap::Parser;
use films::{Film, MadeUp};
use marquee_domain::values::Title;
use marquee_infra::clock;
use marquee_tests::{samples, servers::servers};
use round::{Round, lines};
use target::Target;

/// Imports the films of vega-datasets, and checks every answer.
#[derive(Parser)]
struct Arguments {
    /// The package's data/movies.json
    #[arg(long)]
    records: PathBuf,
    /// Into the Marquee that `make up` has started, instead of one of its own
    #[arg(long)]
    demo: bool,
    /// When the films become available: all that is sent has to be sent before
    #[arg(long, default_value_t = 120)]
    available_in_seconds: u32,
}

/// So many of the answers that are wrong are shown.
const MAX_SHOWN: usize = 10;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let target = if arguments.demo { Target::demo() } else { Target::own().await };
    let available_from =
        clock::now() + TimeDelta::seconds(i64::from(arguments.available_in_seconds));
    let made_up = MadeUp { available_from, media: servers().edge_url.clone() };
    let films = films::read(&arguments.records, &made_up)?;
    let there_before = target.everything().await;
    println!("{} films, into a catalog of {}", films.len(), there_before.len());
    let mut holders: check::Holders = there_before
        .iter()
        .filter_map(|(id, title)| Some((Title::parse(title).ok()?.key(), id.clone())))
        .collect();

    let run = samples::tag();
    let sent = lines(&films, &run);
    let first = Round::send(&target, "first", &sent).await;
    let mut wrong = check::first(&films, &first.results, &mut holders);
    let accepted = first.results.iter().filter(|result| result["status"] == 201).count();
    let lag = target.wait_for_everything(there_before.len() + accepted).await;

    let again = Round::send(&target, "same keys", &sent).await;
    wrong.extend(check::again(&films, &first.results, &again.results));
    let others = Round::send(&target, "other keys", &lines(&films, &format!("{run}-b"))).await;
    wrong.extend(check::other_keys(&films, &others.results, &holders));
    for round in [&again, &others] {
        if round.head_after != first.head_after {
            wrong.push(format!("{}: events were appended", round.name));
        }
    }
    let now = clock::now();
    ensure!(now < available_from, "that took too long: raise --available-in-seconds");

    for round in [&first, &again, &others] {
        print(round);
    }
    println!("\nprojected {} ms after the last answer", lag.as_millis());
    wrong.extend(check_catalog(&target, &films, &first, there_before.len()).await);
    // What viewers see changes when the films become available.
    let left = (available_from - clock::now()).to_std().unwrap_or_default();
    println!("waiting {} s for the films to become available", left.as_secs());
    tokio::time::sleep(left).await;
    wrong.extend(check_viewers(&target, &films, &first).await);

    for wrong in wrong.iter().take(MAX_SHOWN) {
        println!("WRONG {wrong}");
    }
    println!("\n{} answers are wrong", wrong.len());
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(round: &Round) {
    let Round { name, results, took, head_before, head_after } = round;
    println!(
        "\n{name}: {} lines answered in {:.1} s, {:.0} lines/s, head {head_before} -> {head_after}",
        results.len(),
        took.as_secs_f64(),
        round.lines_per_second(),
    );
    for (ending, count) in round.counts() {
        println!("{count:>7} {ending}");
    }
    let [accepted, taken, refused] = round.sums();
    let sum = accepted + taken + refused;
    println!("{accepted} accepted + {taken} title_taken + {refused} refused = {sum}");
}

/// The ids of the accepted films, of those alone that viewers are to see, or of all.
fn accepted<'a>(films: &'a [Film], first: &'a Round, viewers: bool) -> Vec<&'a str> {
    let accepted = films.iter().zip(&first.results);
    let accepted = accepted.filter(|(film, _)| film.is_for_viewers || !viewers);
    let accepted = accepted.filter(|(_, result)| result["status"] == 201);
    accepted.filter_map(|(_, result)| result["movie_id"].as_str()).collect()
}

async fn check_catalog(
    target: &Target,
    films: &[Film],
    first: &Round,
    before: usize,
) -> Option<String> {
    let everything = target.everything().await;
    let accepted = accepted(films, first, false);
    let all_there = accepted.iter().all(|id| everything.contains_key(*id));
    println!("in the catalog: {} movies, {} of them new", everything.len(), accepted.len());
    (!all_there || everything.len() != before + accepted.len())
        .then(|| format!("the catalog has {}, with all: {all_there}", everything.len()))
}

/// Of what was accepted, viewers see what is VISIBLE and available, and nothing else.
async fn check_viewers(target: &Target, films: &[Film], first: &Round) -> Option<String> {
    let expected = accepted(films, first, true);
    let _ = target.wait_for_viewers(expected.len()).await;
    let seen = target.seen_by_viewers().await;
    let of_ours =
        accepted(films, first, false).into_iter().filter(|id| seen.contains_key(*id)).count();
    let all_seen = expected.iter().all(|id| seen.contains_key(*id));
    println!("viewers see {} movies, {of_ours} of them new", seen.len());
    (!all_seen || of_ours != expected.len())
        .then(|| format!("viewers see {of_ours} of the new ones, expected {}", expected.len()))
}
