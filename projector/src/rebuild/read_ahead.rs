//! The log, part by part: one is read while another is written, and no more are in memory.

use marquee_infra::event_log::{EventFilter, EventLogError, EventReader, MovieCursor};
use tokio::sync::mpsc;

use super::part::{Bounds, Part};

/// Parts that are ready while one is written.
const READ_AHEAD: usize = 1;

pub type Parts = mpsc::Receiver<Result<Part, EventLogError>>;

/// By position, up to where the log ends by then.
pub fn by_position(log: EventReader, after: u64, size: u32) -> Parts {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    tokio::spawn(async move {
        let mut after = after;
        loop {
            let page = log.read_filtered(after, None, &EventFilter::default(), size).await;
            let part = match page {
                Ok(page) if page.scanned_to <= after => return,
                Ok(page) => Ok(Part::of_positions(after, page)),
                Err(error) => Err(error),
            };
            if let Ok(Part { bounds: Bounds::Positions { up_to, .. }, .. }) = part {
                after = up_to;
            }
            let is_last = part.is_err();
            if sender.send(part).await.is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// Movie by movie, up to that position.
pub fn by_movie(log: EventReader, after: Option<MovieCursor>, log_head: u64, size: u32) -> Parts {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    tokio::spawn(async move {
        let mut after = after;
        loop {
            let events = log.read_by_movie(after, log_head, size).await;
            let Some(part) =
                events.map(|events| Part::of_movies(after, log_head, events)).transpose()
            else {
                return;
            };
            if let Ok(Part { bounds: Bounds::Movies { last, .. }, .. }) = part {
                after = Some(last);
            }
            let is_last = part.is_err();
            if sender.send(part).await.is_err() || is_last {
                return;
            }
        }
    });
    receiver
}
