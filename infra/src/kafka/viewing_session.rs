//! A viewing session's event as a record, and a record as such an event.

use marquee_domain::viewing_session::{DecodeError, ViewingSessionEvent, decode};
use rdkafka::{Message, message::OwnedMessage};
use thiserror::Error;
use uuid::Uuid;

use super::{CloudEvent, CloudEventError, Fact};

#[derive(Debug, Error)]
pub enum NotASessionEvent {
    #[error("the record has no value")]
    NoValue,
    #[error("header ce_specversion is missing")]
    NoHeaders,
    #[error(transparent)]
    Headers(#[from] CloudEventError),
    #[error("not a {event_type}: {source}")]
    Payload { event_type: String, source: DecodeError },
    #[error("the key is not the session's id")]
    OtherKey,
}

/// The record, as `source` (a service) publishes it.
pub fn fact(
    event: &ViewingSessionEvent,
    source: &str,
    request_id: Option<String>,
) -> serde_json::Result<Fact> {
    let session_id = event.session_id().to_string();
    let about = CloudEvent {
        id: event.event_id(),
        source: source.to_owned(),
        sequence: event.sequence(),
        request_id,
        ..CloudEvent::viewer_fact(
            Uuid::nil(),
            event.event_type(),
            session_id.clone(),
            event.occurred_at(),
        )
    };
    Ok(Fact { key: session_id, event: about, payload: serde_json::to_vec(event)? })
}

/// The event in the record.
pub fn read(record: &OwnedMessage) -> Result<ViewingSessionEvent, NotASessionEvent> {
    let payload = record.payload().ok_or(NotASessionEvent::NoValue)?;
    let headers = record.headers().ok_or(NotASessionEvent::NoHeaders)?;
    let event_type = CloudEvent::from_headers(headers)?.event_type;
    let event = decode(&event_type, payload)
        .map_err(|source| NotASessionEvent::Payload { event_type, source })?;
    if record.key() == Some(event.session_id().to_string().as_bytes()) {
        Ok(event)
    } else {
        Err(NotASessionEvent::OtherKey)
    }
}
