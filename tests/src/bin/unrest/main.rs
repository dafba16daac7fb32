//! The unrest of `tests/it/unrest.rs` for as long as one likes: `infra/local/unrest --rounds 1800`.

use clap::Parser;
use marquee_infra::clock;
use marquee_tests::unrest::{self, Plan};

/// Projectors are killed, thrown back, joined and left every second, on a MySQL that is killed, too; at the end the read
/// models have to be a pure fold of the log.
#[derive(Parser)]
struct Arguments {
    /// Of a second each, at least
    #[arg(long, default_value_t = 300)]
    rounds: usize,
    /// Repeats the faults of a run that printed it
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() {
    let Arguments { rounds, seed } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| u64::from(u32::from_le_bytes(clock::random_bytes())));
    println!("--seed {seed}");
    println!("{}", unrest::play(&Plan::new(seed, rounds)).await);
}
