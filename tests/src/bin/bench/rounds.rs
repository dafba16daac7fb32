//! Two loads in turns: what disturbs the machine for a while disturbs both.

use super::{
    load::{Load, Timing},
    report::{Comparison, Round},
};

#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    pub timing: Timing,
}

/// The first to go changes with every round, so that neither always finds what the other leaves.
pub async fn compare(
    section: &'static str,
    setting: String,
    plan: Plan,
    (our_name, ours): (&'static str, Load),
    (their_name, theirs): (&'static str, Load),
) -> anyhow::Result<Comparison> {
    let mut comparison = Comparison {
        section,
        setting,
        ours: (our_name, Vec::new()),
        theirs: (their_name, Vec::new()),
    };
    for round in 0..plan.rounds {
        for turn in 0..2 {
            let is_ours = (round + turn) % 2 == 0;
            let load = if is_ours { ours.clone() } else { theirs.clone() };
            let run = move || load.run(plan.timing);
            let measured = Round::from(tokio::task::spawn_blocking(run).await??);
            let side = if is_ours { &mut comparison.ours } else { &mut comparison.theirs };
            side.1.push(measured);
        }
    }
    Ok(comparison)
}
