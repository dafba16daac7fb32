//! The event log as a stream: read from MySQL page by page, as fast as its reader takes it and no
//! faster. How to use it: `docs/feed.md`.
//!
//! A feed holds one page of events, and one that was read ahead, however slow its reader is. Pages
//! are read by tasks of their own, so no connection to MySQL waits for a reader.

mod format;
mod head;
mod stream;

use std::{sync::Arc, time::Duration};

pub use format::Format;
use head::HeadWatch;
use marquee_infra::{
    event_log::{EventFilter, EventLogError, EventReader},
    http::{Problem, ProblemCode},
};
use sqlx::MySqlPool;
pub use stream::Feed;
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::FeedSettings;

/// A read that takes longer has lost MySQL.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// After how long a reader that found all feeds taken may try again.
const RETRY_SECONDS: u32 = 5;

/// What a reader asked for.
#[derive(Debug, Clone)]
pub struct FeedRequest {
    /// The last position that it has; 0 for none.
    pub after: u64,
    /// How many events at most.
    pub limit: Option<u64>,
    pub filter: EventFilter,
    /// Whether to go on with what is appended later.
    pub follow: bool,
    pub format: Format,
    pub request_id: String,
}

/// All feeds of this process.
#[derive(Debug)]
pub struct Feeds {
    reader: EventReader,
    head: HeadWatch,
    settings: FeedSettings,
    permits: Arc<Semaphore>,
    /// Where pages are read: not on the threads that serve requests.
    runtime: Handle,
    stop: CancellationToken,
}

impl Feeds {
    /// Within a tokio runtime, on which pages are then read. `pool` is best not shared with what
    /// viewers wait for. After `stop` feeds that follow end, telling where they were.
    pub fn new(pool: MySqlPool, settings: FeedSettings, stop: CancellationToken) -> Self {
        let reader = EventReader::new(pool);
        let interval = Duration::from_millis(settings.head_poll_ms);
        Self {
            head: HeadWatch::new(reader.clone(), interval, Handle::current()),
            reader,
            settings,
            permits: Arc::new(Semaphore::new(settings.max_open)),
            runtime: Handle::current(),
            stop,
        }
    }

    /// A feed whose first page has been read: what keeps it from beginning is told before it has
    /// begun.
    pub async fn open(self: Arc<Self>, request: FeedRequest) -> Result<Feed, Problem> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            metrics::counter!("marquee_feeds_refused_total").increment(1);
            let detail =
                format!("{} feeds are open, and there may be no more", self.settings.max_open);
            return Err(Problem::new(ProblemCode::Busy, detail).with_retry_after(RETRY_SECONDS));
        };
        if request.follow && self.stop.is_cancelled() {
            return Err(Problem::unavailable("the service is about to stop", 1, "shutdown"));
        }
        let head = in_time(self.reader.head()).await.map_err(|error| problem(&error))?;
        let mut feed = Feed::new(self, request, head, permit);
        feed.begin().await?;
        Ok(feed)
    }
}

async fn in_time<T>(
    read: impl Future<Output = Result<T, EventLogError>>,
) -> Result<T, EventLogError> {
    timeout(READ_TIMEOUT, read)
        .await
        .unwrap_or_else(|elapsed| Err(EventLogError::Unavailable(Arc::new(elapsed))))
}

fn problem(error: &EventLogError) -> Problem {
    match error {
        EventLogError::Unavailable(cause) => Problem::unavailable(
            "the event log cannot be read right now",
            1,
            format!("{error}: {cause}"),
        ),
        EventLogError::Corrupt { .. } => {
            Problem::new(ProblemCode::LogIncomplete, error.to_string()).with_cause(error)
        }
        EventLogError::Undecodable(cause) | EventLogError::Internal(cause) => {
            Problem::internal(format!("{error}: {cause}"))
        }
    }
}
