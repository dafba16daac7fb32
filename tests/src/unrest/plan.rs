//! What happens when: made from a seed alone.

use std::{fmt, time::Duration};

use fastrand::Rng;

#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub rounds: Vec<Round>,
}

/// What happens in a round, besides a guest's joining or leaving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// If the guest is to leave: by SIGKILL and not by SIGTERM.
    pub guest_is_killed: bool,
    /// From the round's beginning, one after the other.
    pub after: Duration,
    pub strikes: Vec<Strike>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// Checkpoints are set back to half of where they are.
    ThrowBack,
    /// SIGKILL; it is started again at once.
    KillProjector,
    KillMysql,
}

impl Plan {
    /// Of every eight rounds, three kill the projector, one kills MySQL, two throw checkpoints back, and a guest that
    /// leaves is killed every other time: in any order, and several at once.
    pub fn new(seed: u64, rounds: usize) -> Self {
        let mut choice = Rng::with_seed(seed);
        let mut rounds: Vec<Round> = (0..rounds)
            .map(|_| Round {
                guest_is_killed: choice.bool(),
                after: Duration::from_millis(choice.u64(..900)),
                strikes: Vec::new(),
            })
            .collect();
        for (strike, of_eight) in
            [(Strike::ThrowBack, 2), (Strike::KillProjector, 3), (Strike::KillMysql, 1)]
        {
            let mut struck: Vec<bool> = (0..rounds.len()).map(|it| it % 8 < of_eight).collect();
            choice.shuffle(&mut struck);
            let struck = rounds.iter_mut().zip(struck).filter(|(_, struck)| *struck);
            struck.for_each(|(round, _)| round.strikes.push(strike));
        }
        Self { seed, rounds }
    }
}

/// How many of each kind.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strikes = || self.rounds.iter().flat_map(|round| &round.strikes);
        let count = |wanted| strikes().filter(|strike| **strike == wanted).count();
        write!(
            f,
            "{} joins and leaves of a worker, {} kills of the other, {} of MySQL, and {} replays",
            self.rounds.len(),
            count(Strike::KillProjector),
            count(Strike::KillMysql),
            count(Strike::ThrowBack),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_faults_and_another_seed_others() {
        assert_eq!(Plan::new(1, 16).rounds, Plan::new(1, 16).rounds);
        assert_ne!(Plan::new(1, 16).rounds, Plan::new(2, 16).rounds);
    }

    #[test]
    fn every_plan_has_faults_of_every_kind() {
        for seed in 0..50 {
            let told = Plan::new(seed, 16).to_string();
            let all =
                "16 joins and leaves of a worker, 6 kills of the other, 2 of MySQL, and 4 replays";
            assert_eq!(told, all, "seed {seed}");
        }
    }
}
