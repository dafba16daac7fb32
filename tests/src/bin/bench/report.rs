//! Rounds of measurements, side by side: medians for people, every round as a JSON line for programs.

use std::{fs::File, io::Write, path::Path};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    cpu::CpuUse,
    load::Measurement,
    table::{Budget, Table, count},
};

/// What one side showed in one round.
#[derive(Debug, Clone, Serialize)]
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

pub struct Side {
    pub name: &'static str,
    pub rounds: Vec<Round>,
}

impl Side {
    pub fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }
}

/// Ours, which is the first, and others, measured in turns: round by round under the same conditions.
pub struct Comparison {
    pub section: &'static str,
    /// What was varied, such as "64 clients".
    pub setting: String,
    pub sides: Vec<Side>,
}

/// What ours is to be, compared with another side; ratios of ours to that side's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budgets {
    pub per_second: Option<Budget>,
    pub p99: Option<Budget>,
}

impl Comparison {
    pub fn ours(&self) -> &Side {
        &self.sides[0]
    }

    /// The median over the rounds of ours divided by theirs: what slows both down cancels out.
    fn ratio(&self, theirs: &Side, of: impl Fn(&Round) -> f64) -> f64 {
        let rounds = self.ours().rounds.iter().zip(&theirs.rounds);
        median(rounds.map(|(ours, theirs)| of(ours) / of(theirs)))
    }
}

pub struct Report {
    json: Option<File>,
}

const PROCESSES: [&str; 3] = ["service", "mysql", "kafka"];

/// A table of comparisons. `per` is what a request is.
pub fn begin(title: &str, per: &str) -> Table {
    Table::begin(
        title,
        &[
            "                   ",
            "                 ",
            &format!("{per}s/s"),
            "of the rounds",
            "p50 ms",
            "p99 ms",
            &format!("us per {per}: service"),
            "MySQL",
            "Kafka",
            "client",
            "cores busy",
            &format!("marquee / this: {per}s/s"),
            "p99",
        ],
    )
}

impl Report {
    pub fn new(json: Option<&Path>) -> anyhow::Result<Self> {
        let json = json.map(|path| File::options().create(true).append(true).open(path));
        Ok(Self { json: json.transpose()? })
    }

    /// `budgets` are for ours beside the second side.
    pub fn comparison(
        &mut self,
        table: &Table,
        comparison: &Comparison,
        budgets: Budgets,
    ) -> anyhow::Result<()> {
        for (index, side) in comparison.sides.iter().enumerate() {
            let label = if index == 0 { comparison.setting.as_str() } else { "" };
            let ratios = if index == 0 {
                [String::new(), String::new()]
            } else {
                let budgets = if index == 1 { budgets } else { Budgets::default() };
                let per_second = comparison.ratio(side, |round| round.per_second);
                let p99 = comparison.ratio(side, |round| round.p99_ms);
                [Budget::judge(budgets.per_second, per_second), Budget::judge(budgets.p99, p99)]
            };
            table.row(&side_cells(label, side, ratios));
            for (round, figures) in side.rounds.iter().enumerate() {
                self.line(comparison.section, &comparison.setting, side.name, round + 1, figures)?;
            }
        }
        Ok(())
    }

    /// One measurement, for programs.
    pub fn line(
        &mut self,
        section: &str,
        setting: &str,
        side: &str,
        round: usize,
        figures: &impl Serialize,
    ) -> anyhow::Result<()> {
        if let Some(file) = &mut self.json {
            let figures: Value = serde_json::to_value(figures)?;
            let line = json!({
                "section": section, "setting": setting, "side": side, "round": round,
                "figures": figures,
            });
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}

fn side_cells(label: &str, side: &Side, ratios: [String; 2]) -> Vec<String> {
    let all = || side.rounds.iter().map(|round| round.per_second);
    let least = all().fold(f64::INFINITY, f64::min);
    let most = all().fold(0.0, f64::max);
    let mut cells = vec![
        label.to_owned(),
        side.name.to_owned(),
        count(side.median(|round| round.per_second)),
        format!("{}..{}", count(least), count(most)),
        format!("{:.2}", side.median(|round| round.p50_ms)),
        format!("{:.2}", side.median(|round| round.p99_ms)),
    ];
    // Microseconds of CPU time per request.
    let cost = |cores: fn(&Round, &str) -> Option<f64>, name: &str| -> Option<f64> {
        let rounds: Option<Vec<f64>> = side
            .rounds
            .iter()
            .map(|round| Some(1e6 * cores(round, name)? / round.per_second))
            .collect();
        rounds.map(|rounds| median(rounds.into_iter()))
    };
    let process = |round: &Round, name: &str| round.cpu.processes.get(name).copied();
    let costs = PROCESSES.iter().map(|name| cost(process, name));
    let client = cost(|round, _| Some(round.cpu.client), "");
    let shown =
        |cost: Option<f64>| cost.map_or_else(|| "-".to_owned(), |cost| format!("{cost:.0}"));
    cells.extend(costs.chain([client]).map(shown));
    cells.push(format!("{:.2}", side.median(|round| round.cpu.machine)));
    cells.extend(ratios);
    cells
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
