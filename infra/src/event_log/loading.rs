//! Loading a movie from MySQL: through mysql-es's repository and cqrs-es's upcasters.

use std::sync::Arc;

use cqrs_es::{
    EventEnvelope,
    persist::{EventUpcaster, PersistedEventRepository, PersistenceError},
};
use marquee_domain::{Movie, MovieId, evolve};
use mysql_es::MysqlEventRepository;
use sqlx::MySqlPool;

use super::{EventLogError, LoadedMovie};

/// Reads movies' events, each raised to the current version of its type.
pub(super) struct Loader {
    repository: MysqlEventRepository,
    upcasters: Vec<Box<dyn EventUpcaster>>,
}

impl Loader {
    pub(super) fn new(pool: MySqlPool) -> Self {
        // Every event is of its first version still: there is nothing to raise.
        Self { repository: MysqlEventRepository::new(pool), upcasters: Vec::new() }
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
            let current = self.upcasters.iter().fold(event, |event, upcaster| {
                if upcaster.can_upcast(&event.event_type, &event.event_version) {
                    upcaster.upcast(event)
                } else {
                    event
                }
            });
            events.push(current.try_into().map_err(EventLogError::from)?);
        }
        Ok(events)
    }
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
