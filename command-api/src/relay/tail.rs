//! The end of the log, as the relay reads it: from memory what this process has appended a moment
//! ago, else from MySQL.

use std::{future::pending, sync::Arc};

use marquee_infra::event_log::{EventLog, EventLogError, EventReader, RecentEvents, RecordedEvent};
use tokio::sync::watch;

#[derive(Debug)]
pub struct LogTail {
    reader: EventReader,
    recent: RecentEvents,
    /// Tells of appends in this process; `None` once these have ended.
    appended: Option<watch::Receiver<u64>>,
}

impl LogTail {
    /// `reader` should have a small pool that commands do not use.
    pub fn new(reader: EventReader, log: &EventLog) -> Self {
        Self { reader, recent: log.recent(), appended: Some(log.appended()) }
    }

    /// Of a log that others append to.
    pub fn without_memory(reader: EventReader, appended: watch::Receiver<u64>) -> Self {
        Self { reader, recent: RecentEvents::default(), appended: Some(appended) }
    }

    pub(super) const fn reader(&self) -> &EventReader {
        &self.reader
    }

    /// At most `limit` of the events after `position`, in order, without a gap.
    pub(super) async fn after(
        &mut self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<Arc<RecordedEvent>>, EventLogError> {
        // First: what is appended from here on wakes, whether it is still seen below or not.
        if let Some(appended) = &mut self.appended {
            appended.mark_unchanged();
        }
        let known = self.recent.after(position, limit as usize);
        if !known.is_empty() {
            return Ok(known);
        }
        let events = self.reader.read_after(position, limit).await?;
        Ok(events.into_iter().map(Arc::new).collect())
    }

    /// Waits for an append in this process since the last reading.
    pub(super) async fn grown(&mut self) {
        if let Some(appended) = &mut self.appended
            && appended.changed().await.is_ok()
        {
            return;
        }
        self.appended = None;
        pending::<()>().await;
    }
}
