//! Rounds of measurements, side by side: medians for people, every round as a JSON line for programs.

use std::{fs::File, io::Write, path::Path};

use serde::Serialize;
use serde_json::json;

use super::{cpu::CpuUse, load::Measurement};

/// What one side showed in one round.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Round {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu: CpuUse,
}

impl From<Measurement> for Round {
    fn from(measured: Measurement) -> Self {
        Self {
            per_second: measured.per_second,
            p50_ms: measured.latency_ms(0.5),
            p99_ms: measured.latency_ms(0.99),
            cpu: measured.cpu,
        }
    }
}

/// Ours and the other, measured in turns: round by round under the same conditions.
pub struct Comparison {
    pub section: &'static str,
    /// What was varied, such as "64 clients".
    pub setting: String,
    pub ours: (&'static str, Vec<Round>),
    pub theirs: (&'static str, Vec<Round>),
}

impl Comparison {
    pub fn ours_per_second(&self) -> f64 {
        median(self.ours.1.iter().map(|round| round.per_second))
    }

    /// The median over the rounds of ours divided by theirs: what slows both down cancels out.
    pub fn ratio(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.ours.1.iter().zip(&self.theirs.1).map(|(ours, theirs)| of(ours) / of(theirs)))
    }
}

pub struct Report {
    json: Option<File>,
}

const COLUMNS: &str = "                        side        per second  (min..max of rounds)  p50 ms   p99 ms  \
                       server us/request  cores: server  client  machine";

/// Begins a table.
pub fn section(title: &str) {
    println!("\n{title}\n{COLUMNS}");
}

impl Report {
    pub fn new(json: Option<&Path>) -> anyhow::Result<Self> {
        let json = json.map(|path| File::options().create(true).append(true).open(path));
        Ok(Self { json: json.transpose()? })
    }

    pub fn comparison(&mut self, comparison: &Comparison) -> anyhow::Result<()> {
        let Comparison { section, setting, ours, theirs } = comparison;
        for (label, (side, rounds)) in [(setting.as_str(), ours), ("", theirs)] {
            print_side(label, side, rounds);
            if let Some(file) = &mut self.json {
                for (round, figures) in rounds.iter().enumerate() {
                    let line = json!({
                        "section": section, "setting": setting, "side": side, "round": round + 1,
                        "figures": figures,
                    });
                    writeln!(file, "{line}")?;
                }
            }
        }
        println!(
            "{:24}ratio      {:>10.2}x {:21} {:>6.2}x  {:>6.2}x",
            "",
            comparison.ratio(|round| round.per_second),
            "",
            comparison.ratio(|round| round.p50_ms),
            comparison.ratio(|round| round.p99_ms),
        );
        Ok(())
    }
}

fn print_side(label: &str, side: &str, rounds: &[Round]) {
    let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let all = || rounds.iter().map(|round| round.per_second);
    let range =
        format!("({:.0}..{:.0})", all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let (cost, server) = match rounds.first().and_then(|round| round.cpu.server) {
        Some(_) => {
            let cores = |round: &Round| round.cpu.server.unwrap_or_default();
            let cost = median(rounds.iter().map(|round| 1e6 * cores(round) / round.per_second));
            (format!("{cost:.1}"), format!("{:.2}", median(rounds.iter().map(cores))))
        }
        None => ("-".to_owned(), "-".to_owned()),
    };
    println!(
        "{label:<24}{side:<9} {:>12.0}  {range:>20}  {:>6.2}  {:>7.2}  {cost:>17}  {server:>13}  {:>6.2}  {:>7.2}",
        of(|round| round.per_second),
        of(|round| round.p50_ms),
        of(|round| round.p99_ms),
        of(|round| round.cpu.client),
        of(|round| round.cpu.machine),
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
