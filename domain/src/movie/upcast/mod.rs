//! Raising what was written in an older version of an event's shape, one version at a time.
//!
//! A step is pure, works on JSON and on nothing that may change later, and is never edited once it
//! is released: what it makes of a stored event has been read by others already.

mod stream_durations;

use serde_json::{Map, Value};
use thiserror::Error;

use super::event_type::{EventName, EventType, EventTypeError};

/// A payload in the version that its type names.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcasted {
    pub event_type: EventType,
    pub payload: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpcastError {
    #[error(transparent)]
    Type(#[from] EventTypeError),
    #[error("{name} is of version {from} already, and is never made older: {to} was asked for")]
    Backwards { name: EventName, from: u32, to: u32 },
    #[error("this is not a {event_type}: {why}")]
    Payload { event_type: EventType, why: String },
}

/// To the version in which the event is written today.
pub fn upcast(event_type: EventType, payload: Value) -> Result<Upcasted, UpcastError> {
    let current = EventType::current(event_type.name());
    let payload = raise(event_type, current.version(), payload)?;
    Ok(Upcasted { event_type: current, payload })
}

/// From one version to another that is not older.
pub fn upcast_to(
    name: EventName,
    from: u32,
    to: u32,
    payload: Value,
) -> Result<Value, UpcastError> {
    let from = EventType::new(name, from)?;
    let to = EventType::new(name, to)?;
    if to < from {
        return Err(UpcastError::Backwards { name, from: from.version(), to: to.version() });
    }
    raise(from, to.version(), payload)
}

fn raise(event_type: EventType, to: u32, payload: Value) -> Result<Value, UpcastError> {
    if event_type.version() == to {
        return Ok(payload);
    }
    let refuse = |version, why: &str| {
        let event_type = EventType::new(event_type.name(), version)?;
        Err(UpcastError::Payload { event_type, why: why.to_owned() })
    };
    let Value::Object(mut payload) = payload else {
        return refuse(event_type.version(), "it is not an object");
    };
    for version in event_type.version()..to {
        // There is one: see below.
        let Some(step) = step(event_type.name(), version) else {
            return refuse(version, "nothing raises it to the next version");
        };
        match step(payload) {
            Ok(raised) => payload = raised,
            Err(why) => return refuse(version, &why),
        }
    }
    Ok(Value::Object(payload))
}

type Fields = Map<String, Value>;

/// What raises an event by one version, or says why it can't.
pub(crate) type Step = fn(Fields) -> Result<Fields, String>;

/// The step from this version of the event to the next.
pub(crate) const fn step(name: EventName, from: u32) -> Option<Step> {
    match (name, from) {
        (EventName::StreamSourceAttached, 1) => Some(stream_durations::attached_1_to_2),
        (EventName::StreamSourceValidated, 1) => Some(stream_durations::validated_1_to_2),
        _ => None,
    }
}

/// A version that nothing raises to the next does not compile.
const _: () = {
    let mut index = 0;
    while index < EventName::ALL.len() {
        let name = EventName::ALL[index];
        let mut version = 1;
        while version < name.current_version() {
            assert!(step(name, version).is_some(), "an older version has no upcaster");
            version += 1;
        }
        index += 1;
    }
};
