//! The way back to the event log, for what did not come by Kafka.

use marquee_domain::MovieId;
use marquee_infra::event_log::{EventLogError, EventReader, RecordedEvent};
use thiserror::Error;

use super::{
    decode::{DecodeError, Decoded, parse},
    fold::{DoesNotFit, Fold},
    history::Entry,
};
use crate::failure::Failure;

const PAGE_EVENTS: u32 = 500;

/// Why a movie can't be brought up to date from the log.
#[derive(Debug, Error)]
pub enum RefillError {
    #[error("event {0} of the movie is not in the event log")]
    NotInLog(u64),
    #[error("event {sequence} of the movie, read from the event log: {source}")]
    Undecodable { sequence: u64, source: DecodeError },
    #[error(transparent)]
    DoesNotFit(#[from] DoesNotFit),
    /// Concerns the log, not the movie.
    #[error(transparent)]
    Log(Failure),
}

/// Applies the movie's events up to `last`, from the log.
pub async fn refill(log: &EventReader, fold: &mut Fold, last: u64) -> Result<(), RefillError> {
    while fold.version < last {
        let wanted = u32::try_from(last - fold.version).unwrap_or(u32::MAX).min(PAGE_EVENTS);
        if page(log, fold, wanted).await? == 0 {
            return Err(RefillError::NotInLog(fold.version + 1));
        }
    }
    Ok(())
}

/// Applies all events of the movie that the log has.
pub async fn refill_to_end(log: &EventReader, fold: &mut Fold) -> Result<(), RefillError> {
    while page(log, fold, PAGE_EVENTS).await? > 0 {}
    Ok(())
}

/// Applies the movie's next events, and answers how many.
async fn page(log: &EventReader, fold: &mut Fold, limit: u32) -> Result<usize, RefillError> {
    let page = log
        .read_movie(fold.movie_id, fold.version + 1, limit)
        .await
        .map_err(|error| failure(error, fold.version + 1))?;
    let events = page.len();
    for recorded in page {
        let sequence = recorded.sequence;
        let decoded = decode(fold.movie_id, recorded)
            .map_err(|source| RefillError::Undecodable { sequence, source })?;
        fold.apply(decoded)?;
    }
    Ok(events)
}

fn failure(error: EventLogError, sequence: u64) -> RefillError {
    match error {
        EventLogError::Corrupt { expected, .. } => RefillError::NotInLog(expected),
        EventLogError::Undecodable(cause) => {
            RefillError::Undecodable { sequence, source: DecodeError::Log(cause.to_string()) }
        }
        error @ (EventLogError::Unavailable(_) | EventLogError::Internal(_)) => {
            RefillError::Log(Failure::EventLog(error))
        }
    }
}

pub fn decode(movie_id: MovieId, recorded: RecordedEvent) -> Result<Decoded, DecodeError> {
    let event = parse(movie_id, &recorded.event_type, recorded.payload.get())?;
    let mut metadata = recorded.metadata;
    let mut take = |name| metadata.remove(name).unwrap_or_default();
    let entry = Entry {
        version: recorded.sequence,
        position: recorded.position,
        command: take("command"),
        actor: take("actor"),
        request_id: take("request_id"),
        event_type: recorded.event_type,
        recorded_at: recorded.recorded_at,
        payload: recorded.payload.get().to_owned(),
    };
    Ok(Decoded { event, entry })
}
