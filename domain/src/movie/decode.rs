//! Reading an event as it was stored or published, in whatever version: the one way to a
//! `MovieEvent` for all readers.

use serde_json::Value;
use thiserror::Error;

use super::{
    MovieEvent,
    event_type::{EventName, EventType, EventTypeError},
    upcast::{UpcastError, upcast},
};

#[derive(Debug, Error)]
pub enum DecodeError {
    #[error(transparent)]
    Type(#[from] EventTypeError),
    #[error(transparent)]
    Upcast(#[from] UpcastError),
    #[error("this is not a {event_type}: {source}")]
    Payload { event_type: EventType, source: serde_json::Error },
    #[error("this is not a {event_type}: its payload is a {found}")]
    OtherEvent { event_type: EventType, found: EventName },
}

/// `event_type` is the stored type, such as `marquee.movie.MovieShown.v1`; the payload is JSON.
pub fn decode(event_type: &str, payload: &str) -> Result<MovieEvent, DecodeError> {
    let event_type: EventType = event_type.parse()?;
    let refuse = |source| DecodeError::Payload { event_type, source };
    if event_type.is_current() {
        // Without the tree in between: nearly all events are current, and a rebuild reads millions.
        return checked(event_type, serde_json::from_str(payload).map_err(refuse)?);
    }
    decode_value(event_type, serde_json::from_str(payload).map_err(refuse)?)
}

/// The same for JSON that has been read already.
pub fn decode_value(event_type: EventType, payload: Value) -> Result<MovieEvent, DecodeError> {
    let raised = upcast(event_type, payload)?;
    let event = serde_json::from_value(raised.payload)
        .map_err(|source| DecodeError::Payload { event_type, source })?;
    checked(event_type, event)
}

/// The payload names its event, too.
fn checked(event_type: EventType, event: MovieEvent) -> Result<MovieEvent, DecodeError> {
    let found = event.event_name();
    if found == event_type.name() {
        Ok(event)
    } else {
        Err(DecodeError::OtherEvent { event_type, found })
    }
}
