//! The log, page by page: one is read while another is written, and no more are in memory.

use marquee_infra::event_log::{EventFilter, EventLogError, EventPage, EventReader};
use tokio::sync::mpsc;

/// Pages that are ready while one is written.
const READ_AHEAD: usize = 1;

/// Reads on its own up to where the log ends by then.
pub fn pages(
    log: EventReader,
    after: u64,
    size: usize,
) -> mpsc::Receiver<Result<EventPage, EventLogError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    tokio::spawn(async move {
        let mut after = after;
        loop {
            let page = log.read_filtered(after, None, &EventFilter::default(), size).await;
            let is_last = match &page {
                Ok(page) if page.scanned_to > after => {
                    after = page.scanned_to;
                    false
                }
                Ok(_) => return,
                Err(_) => true,
            };
            if sender.send(page).await.is_err() || is_last {
                return;
            }
        }
    });
    receiver
}
