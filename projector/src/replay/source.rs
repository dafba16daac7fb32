//! The log, page by page: the next ones are read while one is written, and no more are in memory.
//!
//! Where a page ends is decided by where it begins and by the log, which never changes. So what a sink
//! does at the end of a page (a member of a gzip file) it does at the same places when it is resumed.

use std::{future::Future, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use marquee_infra::event_log::{EventFilter, EventLogError, EventReader, RecordedEvent};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{
    cursor::Cursor,
    error::ReplayError,
    filter::Filter,
    range::Range,
    request::{Request, Schema},
};
use crate::progress_bar::Progress;

/// Events of a page, at most.
const PAGE: u32 = 1_000;
/// Pages that are read at once, where that is possible: MySQL works on one while another is decoded.
/// Each takes a connection.
pub const CONCURRENT: u32 = 2;
/// Pages that are ready, beside those.
const READ_AHEAD: usize = 1;
/// After this, MySQL counts as away, whatever the connection says.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The events of a run of positions that were asked for, in the version that was asked for.
#[derive(Debug)]
pub struct Page {
    pub last: u64,
    pub events: Vec<RecordedEvent>,
}

pub type Pages = mpsc::Receiver<Result<Page, ReplayError>>;

/// Reads on its own; ends after the last page, after an error, or when nobody listens any more.
pub fn pages(
    log: EventReader,
    request: &Request,
    cursor: &Cursor,
    patience: Duration,
    progress: Progress,
) -> Pages {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let reader = Arc::new(Reader {
        log,
        filter: Filter::new(request),
        schema: request.schema,
        range: cursor.range,
        patience,
        progress,
    });
    let after = cursor.position;
    tokio::spawn(async move {
        if reader.filter.in_log == EventFilter::default() {
            reader.send_all(after, &sender).await;
        } else {
            reader.send_wanted(after, &sender).await;
        }
    });
    receiver
}

struct Reader {
    log: EventReader,
    filter: Filter,
    schema: Schema,
    range: Range,
    patience: Duration,
    progress: Progress,
}

type Sender = mpsc::Sender<Result<Page, ReplayError>>;

impl Reader {
    /// Without a filter, where each page ends is known before it is read.
    async fn send_all(self: Arc<Self>, after: u64, sender: &Sender) {
        let starts = (after..self.range.last).step_by(PAGE as usize);
        let mut reads = stream::iter(starts)
            .map(|after| {
                let reader = Arc::clone(&self);
                tokio::spawn(async move { reader.page(after).await })
            })
            .buffered(CONCURRENT as usize);
        // A read that does not end with a page or an error has panicked, and said so.
        while let Some(Ok(page)) = reads.next().await {
            let failed = page.is_err();
            if sender.send(page).await.is_err() || failed {
                return;
            }
        }
    }

    /// With one, it is known when the page is read.
    async fn send_wanted(&self, mut after: u64, sender: &Sender) {
        while after < self.range.last {
            let page = self.page(after).await;
            let next = page.as_ref().map(|page| page.last).ok();
            if sender.send(page).await.is_err() {
                return;
            }
            let Some(next) = next else { return };
            after = next;
        }
    }

    async fn page(&self, after: u64) -> Result<Page, ReplayError> {
        let (filter, up_to) = (&self.filter.in_log, Some(self.range.last));
        let page = patiently(
            self.patience,
            |line| self.progress.note(line),
            || async { Ok(self.log.read_filtered(after, up_to, filter, PAGE).await?) },
        )
        .await
        .map_err(|error| self.hole(error))?;
        if page.scanned_to <= after {
            // The range was settled by the log's end, which never goes back.
            return Err(ReplayError::Hole { missing: after + 1 });
        }
        let mut events = Vec::with_capacity(page.events.len());
        for mut event in page.events.into_iter().filter(|event| self.filter.takes(event)) {
            let position = event.position;
            self.schema
                .apply(&mut event)
                .map_err(|source| ReplayError::Event { position, source })?;
            events.push(event);
        }
        Ok(Page { last: page.scanned_to, events })
    }

    fn hole(&self, error: ReplayError) -> ReplayError {
        match error {
            // Of one movie's events, the reader tells the number among the movie's.
            ReplayError::Log(EventLogError::Corrupt { expected, .. })
                if self.filter.in_log.movies.is_empty() =>
            {
                ReplayError::Hole { missing: expected }
            }
            error => error,
        }
    }
}

/// Asks MySQL again while it is away, up to `patience`.
pub async fn patiently<T, F, Fut>(
    patience: Duration,
    note: impl Fn(&str),
    ask: F,
) -> Result<T, ReplayError>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, ReplayError>>,
{
    let mut wait = FIRST_WAIT;
    let mut away_since = None;
    loop {
        let silent = Err(ReplayError::LogSilent(LONGEST_ANSWER.as_secs()));
        let answer = timeout(LONGEST_ANSWER, ask()).await.unwrap_or(silent);
        match answer {
            Err(error) if error.retryable() => {
                let away = away_since.get_or_insert_with(Instant::now).elapsed();
                if away + wait > patience {
                    return Err(error);
                }
                note(&format!("{:#}; it is asked again", anyhow::Error::from(error)));
                sleep(wait).await;
                wait = LONGEST_WAIT.min(wait * 2);
            }
            answer => return answer,
        }
    }
}
