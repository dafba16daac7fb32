//! Loading a movie from MySQL: through mysql-es's repository and a cqrs-es upcaster.

use std::sync::Arc;

use cqrs_es::{
    EventEnvelope,
    persist::{EventUpcaster, PersistedEventRepository, PersistenceError, SerializedEvent},
};
use marquee_domain::{
    Movie, MovieId, evolve,
    movie::{DecodeError, EventType, decode_value, upcast::upcast},
};
use mysql_es::MysqlEventRepository;
use sqlx::MySqlPool;

use super::{EventLogError, LoadedMovie};

/// Reads movies' events, each raised to the current version of its type.
pub(super) struct Loader {
    repository: MysqlEventRepository,
}

/// The domain's upcasters as cqrs-es wants them.
#[derive(Debug)]
struct MovieUpcaster;

impl EventUpcaster for MovieUpcaster {
    fn can_upcast(&self, event_type: &str, _event_version: &str) -> bool {
        event_type.parse().is_ok_and(|event_type: EventType| !event_type.is_current())
    }

    /// cqrs-es has no way to refuse here. An event that can't be raised stays as it is, and decoding
    /// says why.
    fn upcast(&self, event: SerializedEvent) -> SerializedEvent {
        let raised = event
            .event_type
            .parse()
            .ok()
            .and_then(|event_type: EventType| upcast(event_type, event.payload.clone()).ok());
        match raised {
            Some(raised) => SerializedEvent {
                event_type: raised.event_type.to_string(),
                event_version: raised.event_type.version().to_string(),
                payload: raised.payload,
                ..event
            },
            None => event,
        }
    }
}

impl Loader {
    pub(super) fn new(pool: MySqlPool) -> Self {
        Self { repository: MysqlEventRepository::new(pool) }
    }

    pub(super) async fn movie(&self, id: MovieId) -> Result<LoadedMovie, EventLogError> {
        let events = self.events(&id.to_string()).await?;
        let mut movie = Movie::default();
        for event in &events {
            evolve(&mut movie, &event.payload);
        }
        Ok(LoadedMovie { movie: Arc::new(movie), version: events.len() as u64 })
    }

    /// All events of a movie, which are numbered 1, 2, 3, ... without a gap.
    pub(super) async fn events(
        &self,
        id: &str,
    ) -> Result<Vec<EventEnvelope<Movie>>, EventLogError> {
        let stored = self.repository.get_events::<Movie>(id).await.map_err(EventLogError::from)?;
        let mut events = Vec::with_capacity(stored.len());
        for (expected, event) in (1..).zip(stored) {
            if event.sequence != expected {
                let found = event.sequence as u64;
                return Err(EventLogError::Corrupt { expected: expected as u64, found });
            }
            let event = if MovieUpcaster.can_upcast(&event.event_type, &event.event_version) {
                MovieUpcaster.upcast(event)
            } else {
                event
            };
            events.push(envelope(event)?);
        }
        Ok(events)
    }
}

fn envelope(event: SerializedEvent) -> Result<EventEnvelope<Movie>, EventLogError> {
    let undecodable = |error: DecodeError| EventLogError::Undecodable(Arc::new(error));
    let event_type: EventType =
        event.event_type.parse().map_err(|error| undecodable(DecodeError::Type(error)))?;
    let payload = decode_value(event_type, event.payload).map_err(undecodable)?;
    let metadata = serde_json::from_value(event.metadata)
        .map_err(|error| EventLogError::Undecodable(Arc::new(error)))?;
    Ok(EventEnvelope {
        aggregate_id: event.aggregate_id,
        sequence: event.sequence,
        payload,
        metadata,
    })
}

impl From<PersistenceError> for EventLogError {
    fn from(error: PersistenceError) -> Self {
        match error {
            PersistenceError::ConnectionError(error) => Self::Unavailable(Arc::from(error)),
            PersistenceError::DeserializationError(error) => Self::Undecodable(Arc::from(error)),
            PersistenceError::UnknownError(error) => {
                // mysql-es knows two kinds of lost connections; there are more.
                match error.downcast::<sqlx::Error>() {
                    Ok(error) => Self::from(*error),
                    Err(error) => Self::Internal(Arc::from(error)),
                }
            }
            error @ PersistenceError::OptimisticLockError => Self::Internal(Arc::new(error)),
        }
    }
}
