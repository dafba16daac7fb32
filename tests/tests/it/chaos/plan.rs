//! Which faults there will be: made from a seed alone.

use std::{collections::BTreeMap, fmt, time::Duration};

use proptest::{
    prelude::{Just, Strategy, prop_oneof},
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::stage::LEASE;

/// Which of the two processes, as they stand when a round begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Leader,
    Standby,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL; it is started again afterwards.
    Kill,
    /// SIGSTOP for longer than the lease, SIGCONT.
    Pause,
    /// Connections break.
    CutKafka,
    /// Connections stay, and nothing passes.
    HangKafka,
    CutMysql,
    HangMysql,
    /// MySQL carries out a COMMIT and the connection breaks before its answer.
    LoseCommit,
}

/// What of a process is hit: by one fault at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Process,
    Kafka,
    Mysql,
}

#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub target: Target,
    pub kind: Kind,
    /// From the round's beginning.
    pub after: Duration,
    pub lasting: Duration,
}

/// Faults that overlap.
#[derive(Debug, Clone)]
pub struct Round(pub Vec<Fault>);

#[derive(Debug, Clone)]
pub struct Plan {
    pub rounds: Vec<Round>,
}

impl Plan {
    pub fn new(seed: u64, faults: usize) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let (mut rounds, mut left) = (Vec::new(), faults);
        while left > 0 {
            let tree = round().new_tree(&mut runner).expect("nothing is filtered out");
            let mut round = tree.current();
            round.0.truncate(left);
            left -= round.0.len();
            rounds.push(round);
        }
        Self { rounds }
    }

    fn all(&self) -> impl Iterator<Item = &Fault> {
        self.rounds.iter().flat_map(|round| &round.0)
    }

    pub fn faults(&self) -> usize {
        self.all().count()
    }

    /// How many rounds end the lead of whoever had it.
    pub fn count_of_lost_leads(&self) -> usize {
        let ends_lead = |fault: &Fault| {
            fault.target == Target::Leader && matches!(fault.kind, Kind::Kill | Kind::Pause)
        };
        self.rounds.iter().filter(|round| round.0.iter().any(ends_lead)).count()
    }
}

/// One fault of the leader, and up to two more of either.
fn round() -> impl Strategy<Value = Round> {
    const PARTS: [Part; 3] = [Part::Process, Part::Kafka, Part::Mysql];
    let of_leader = Just(PARTS.to_vec()).prop_shuffle();
    let of_standby = subsequence(PARTS.to_vec(), 0..=1);
    (of_leader, 1..=2_usize, of_standby).prop_flat_map(|(of_leader, count, of_standby)| {
        let leader = of_leader.into_iter().take(count).map(|part| fault(Target::Leader, part));
        let standby = of_standby.into_iter().map(|part| fault(Target::Standby, part));
        leader.chain(standby).collect::<Vec<_>>().prop_map(Round)
    })
}

fn fault(target: Target, part: Part) -> impl Strategy<Value = Fault> {
    let kind = match part {
        Part::Process => prop_oneof![Just(Kind::Kill), Just(Kind::Pause)].boxed(),
        Part::Kafka => prop_oneof![Just(Kind::CutKafka), Just(Kind::HangKafka)].boxed(),
        Part::Mysql => select(&[Kind::CutMysql, Kind::HangMysql, Kind::LoseCommit][..]).boxed(),
    };
    (kind, 0..600_u64, 0..1_000_u64).prop_map(move |(kind, after, share)| {
        let lease = u64::try_from(LEASE.as_millis()).expect("a lease is short");
        let lasting = match kind {
            // Some come back before the other has taken over, some long after.
            Kind::Kill => share * 2 * lease / 1_000,
            Kind::Pause => lease * 5 / 4 + share * lease / 1_000,
            Kind::CutKafka | Kind::HangKafka | Kind::CutMysql | Kind::HangMysql => {
                50 + share * 2 * lease / 1_000
            }
            Kind::LoseCommit => share / 2,
        };
        let (after, lasting) = (Duration::from_millis(after), Duration::from_millis(lasting));
        Fault { target, kind, after, lasting }
    })
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Fault { target, kind, after, lasting } in &self.0 {
            write!(f, "[{kind:?} of the {target:?} after {after:?} for {lasting:?}] ")?;
        }
        Ok(())
    }
}

/// How many of each kind.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
        for fault in self.all() {
            *counts.entry(fault.kind).or_default() += 1;
        }
        let counts: Vec<_> =
            counts.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect();
        f.write_str(&counts.join(", "))
    }
}

#[test]
fn the_same_seed_makes_the_same_faults_and_another_seed_others() {
    let shown = |seed| Plan::new(seed, 100).rounds.iter().map(Round::to_string).collect::<String>();
    assert_eq!(shown(1), shown(1));
    assert_ne!(shown(1), shown(2));
    assert_eq!(Plan::new(3, 100).faults(), 100);
}

#[test]
fn a_hundred_faults_have_all_kinds_and_leaders_lose_their_lead_often() {
    for seed in 0..50 {
        let plan = Plan::new(seed, 100);
        let kinds: std::collections::BTreeSet<Kind> = plan.all().map(|fault| fault.kind).collect();
        assert_eq!(kinds.len(), 7, "seed {seed}: {plan}");
        assert!(plan.count_of_lost_leads() >= 10, "seed {seed}: {plan}");
    }
}
