//! Several loads in turns: what disturbs the machine for a while disturbs all of them.

use super::{
    load::{Load, Timing},
    report::{Comparison, Round, Side},
};

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    pub timing: Timing,
    /// Only to see whether it works.
    pub brief: bool,
}

/// The first to go changes with every round, so that none always finds what another leaves.
pub async fn compare(
    section: &'static str,
    setting: String,
    plan: Plan,
    loads: Vec<(&'static str, Load)>,
) -> anyhow::Result<Comparison> {
    let sides = loads.iter().map(|(name, _)| Side { name, rounds: Vec::new() });
    let mut comparison = Comparison { section, setting, sides: sides.collect() };
    for round in 0..plan.rounds {
        for turn in 0..loads.len() {
            let side = (round + turn) % loads.len();
            let load = loads[side].1.clone();
            let run = move || load.run(plan.timing);
            let measured = Round::from(tokio::task::spawn_blocking(run).await??);
            comparison.sides[side].rounds.push(measured);
        }
    }
    Ok(comparison)
}
