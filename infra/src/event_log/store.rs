//! cqrs-es's own view of the log: whatever works with a `cqrs_es::EventStore` works with this one.

use std::collections::HashMap;

use cqrs_es::{AggregateContext, AggregateError, EventEnvelope, EventStore};
use marquee_domain::{Movie, MovieError, MovieEvent, MovieId};

use super::{Append, AppendError, EventLog, EventLogError, Outcome};
use crate::clock::now;

/// An event log as an `EventStore` of movies.
#[derive(Debug, Clone)]
pub struct MovieEventStore {
    log: EventLog,
}

/// A movie and the version that commands are decided on.
#[derive(Debug, Clone)]
pub struct MovieContext {
    pub movie_id: MovieId,
    pub movie: Movie,
    pub version: u64,
}

impl AggregateContext<Movie> for MovieContext {
    fn aggregate(&mut self) -> &mut Movie {
        &mut self.movie
    }
}

type StoreError = AggregateError<MovieError>;

impl MovieEventStore {
    pub const fn new(log: EventLog) -> Self {
        Self { log }
    }
}

impl EventStore<Movie> for MovieEventStore {
    type AC = MovieContext;

    async fn load_events(&self, id: &str) -> Result<Vec<EventEnvelope<Movie>>, StoreError> {
        Ok(self.log.loader.events(id).await?)
    }

    async fn load_aggregate(&self, id: &str) -> Result<MovieContext, StoreError> {
        let movie_id = parse(id)?;
        let loaded = self.log.load(movie_id).await?;
        let movie = Movie::clone(&loaded.movie);
        Ok(MovieContext { movie_id, movie, version: loaded.version })
    }

    async fn commit(
        &self,
        mut events: Vec<MovieEvent>,
        context: MovieContext,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<Movie>>, StoreError> {
        let append = Append {
            movie_id: context.movie_id,
            expected_version: context.version,
            events: events.clone(),
            metadata: metadata.clone(),
            receipt: None,
            recorded_at: now(),
        };
        if let Outcome::Appended(appended) = self.log.append(append).await?
            && let Some(chosen) = appended.slug
        {
            for event in &mut events {
                if let MovieEvent::MovieCreated { slug, .. } = event {
                    slug.clone_from(&chosen);
                }
            }
        }
        let first = usize::try_from(context.version + 1).map_err(unexpected)?;
        let envelope = |(sequence, payload)| EventEnvelope {
            aggregate_id: context.movie_id.to_string(),
            sequence,
            payload,
            metadata: metadata.clone(),
        };
        Ok((first..).zip(events).map(envelope).collect())
    }
}

fn parse(id: &str) -> Result<MovieId, StoreError> {
    id.parse().map_err(unexpected)
}

fn unexpected(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    AggregateError::UnexpectedError(Box::new(error))
}

impl From<EventLogError> for StoreError {
    fn from(error: EventLogError) -> Self {
        match error {
            EventLogError::Unavailable(_) => Self::DatabaseConnectionError(Box::new(error)),
            EventLogError::Undecodable(_) => Self::DeserializationError(Box::new(error)),
            EventLogError::Corrupt { .. } | EventLogError::Internal(_) => unexpected(error),
        }
    }
}

impl From<AppendError> for StoreError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::VersionConflict { .. } => Self::AggregateConflict,
            AppendError::Unavailable(_) | AppendError::OutcomeUnknown | AppendError::QueueFull => {
                Self::DatabaseConnectionError(Box::new(error))
            }
            AppendError::TitleTaken { .. }
            | AppendError::KeyReused
            | AppendError::TooManyEvents { .. }
            | AppendError::Corrupt(_)
            | AppendError::Internal(_) => unexpected(error),
        }
    }
}
