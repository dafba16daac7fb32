//! Tasks that run beside the projections, and what can be asked of them.

use std::{fmt, sync::Arc};

use tokio::task::{AbortHandle, JoinHandle};

/// What a task reports to while it runs.
pub trait Reports: Send + Sync + 'static {
    type Status: fmt::Debug;

    fn status(&self) -> Self::Status;
}

/// A task that runs, or stands by.
pub struct Beside<R> {
    task: JoinHandle<()>,
    reporter: Arc<R>,
}

impl<R: Reports> Beside<R> {
    /// Starts it on the current tokio runtime.
    pub(crate) fn spawn(reporter: Arc<R>, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { task: tokio::spawn(task), reporter }
    }

    /// What it tells of itself, for as long as anybody asks.
    pub fn watch(&self) -> impl Fn() -> R::Status + Send + Sync + Clone + use<R> {
        let reporter = Arc::clone(&self.reporter);
        move || reporter.status()
    }

    /// Ends it at once, as a crash would: a lease stays taken until it expires.
    pub fn abort_handle(&self) -> AbortHandle {
        self.task.abort_handle()
    }

    /// Resolves when it has ended, also by a panic.
    pub async fn ended(self) {
        let _ = self.task.await;
    }
}

impl<R: Reports> fmt::Debug for Beside<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("status", &self.reporter.status()).finish_non_exhaustive()
    }
}
