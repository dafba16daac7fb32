//! Waiting for a condition, with a deadline. Nothing in the tests waits for time to pass, except for faults that last a
//! while by plan.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// Longer than anything takes on a busy machine: it bounds a failure, it measures nothing.
pub const DEADLINE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer. `what` is what a failure says was missing.
///
/// # Panics
/// When there is none until the deadline.
pub async fn until<T, F>(what: &str, ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    until_within(DEADLINE, what, ask).await
}

/// The same with another deadline.
///
/// # Panics
/// When there is none until then.
pub async fn until_within<T, F>(limit: Duration, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain: {what}");
        sleep(INTERVAL).await;
    }
}

/// The work's result, if it ends before the deadline.
///
/// # Panics
/// When it does not.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, work).await;
    result.unwrap_or_else(|elapsed| panic!("{elapsed} after {DEADLINE:?}: {what}"))
}
