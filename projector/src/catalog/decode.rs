//! From a Kafka record to a movie event.

use marquee_domain::{MovieEvent, MovieId, movie};
use marquee_infra::kafka::{CloudEvent, CloudEventError};
use rdkafka::{
    Message,
    message::{OwnedHeaders, OwnedMessage},
};
use thiserror::Error;

use super::history::Entry;

/// An event with its place in its movie's history.
#[derive(Debug)]
pub struct Decoded {
    pub event: MovieEvent,
    pub entry: Entry,
}

#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("the record has no key that is a movie's id")]
    Key,
    #[error(transparent)]
    Headers(#[from] CloudEventError),
    #[error("header {0} is missing")]
    Missing(&'static str),
    #[error("the record has no value")]
    Tombstone,
    #[error("the value is not UTF-8 text")]
    NotText(#[from] std::str::Utf8Error),
    #[error(transparent)]
    Event(#[from] movie::DecodeError),
    #[error("{0}")]
    Log(String),
    #[error("the key names movie {key}, the value movie {value}")]
    OtherMovie { key: MovieId, value: MovieId },
}

/// The movie that the record is about, whatever else is wrong with it.
pub fn movie_id(record: &OwnedMessage) -> Result<MovieId, DecodeError> {
    record
        .key()
        .and_then(|key| std::str::from_utf8(key).ok())
        .and_then(|key| key.parse().ok())
        .ok_or(DecodeError::Key)
}

pub fn decode(movie_id: MovieId, record: &OwnedMessage) -> Result<Decoded, DecodeError> {
    let no_headers = OwnedHeaders::new();
    let about = CloudEvent::from_headers(record.headers().unwrap_or(&no_headers))?;
    let version = about.sequence.ok_or(DecodeError::Missing("ce_sequence"))?;
    let position = about.position.ok_or(DecodeError::Missing("ce_position"))?;
    let payload = std::str::from_utf8(record.payload().ok_or(DecodeError::Tombstone)?)?;
    let event = parse(movie_id, &about.event_type, payload)?;
    let entry = Entry {
        version,
        position,
        event_type: about.event_type,
        command: about.command.unwrap_or_default(),
        actor: about.actor.unwrap_or_default(),
        request_id: about.request_id.unwrap_or_default(),
        recorded_at: about.time,
        payload: payload.to_owned(),
    };
    Ok(Decoded { event, entry })
}

pub fn parse(
    movie_id: MovieId,
    event_type: &str,
    payload: &str,
) -> Result<MovieEvent, DecodeError> {
    let event = movie::decode(event_type, payload)?;
    match &event {
        MovieEvent::MovieCreated { movie_id: named, .. } if *named != movie_id => {
            Err(DecodeError::OtherMovie { key: movie_id, value: *named })
        }
        _ => Ok(event),
    }
}
