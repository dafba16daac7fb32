//! Projectors that are killed, thrown back, joined and left every second, on a MySQL that is killed, too. What happens
//! is made from a seed: `MARQUEE_TEST_SEED` repeats it, and `infra/local/unrest` goes on for longer.

use marquee_infra::clock;
use marquee_tests::{
    servers::setting,
    summary,
    unrest::{self, Plan},
};

const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_read_models_are_a_pure_fold_of_the_log_whatever_happens_to_projectors_and_mysql() {
    let seed = setting("MARQUEE_TEST_SEED")
        .unwrap_or_else(|| u64::from(u32::from_le_bytes(clock::random_bytes())));
    summary::say(&format!("unrest: MARQUEE_TEST_SEED={seed}"));
    summary::say(&unrest::play(&Plan::new(seed, ROUNDS)).await);
}
