//! What a test leaves behind is removed when it ends, well or not.

use std::thread;

use tokio::runtime::Builder;

/// Does this to its end, from a `Drop`: on a thread and a runtime of its own, because the test's may be ending, and
/// nothing can wait within it. That something can't be removed is said, and is no failure of the test.
pub fn from_drop(what: &str, work: impl Future<Output = anyhow::Result<()>> + Send) {
    let removed = thread::scope(|scope| {
        let work = || Builder::new_current_thread().enable_all().build()?.block_on(work);
        scope.spawn(work).join()
    });
    match removed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("{what} is left behind: {error:#}"),
        Err(_) => eprintln!("{what} is left behind: removing it panicked"),
    }
}
