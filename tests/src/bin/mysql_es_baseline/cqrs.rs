//! The two ways to store a command's events, behind one call.

use std::collections::HashMap;

use cqrs_es::{AggregateError, CqrsFramework, persist::PersistedEventStore};
use marquee_domain::{Context, Movie, MovieCommand, MovieError};
use mysql_es::{MysqlCqrs, mysql_cqrs};
use sqlx::MySqlPool;

use super::outbox::OutboxRepository;

pub enum Cqrs {
    Plain(MysqlCqrs<Movie>),
    Outbox(CqrsFramework<Movie, PersistedEventStore<OutboxRepository, Movie>>),
}

impl Cqrs {
    pub fn plain(pool: MySqlPool, context: Context) -> Self {
        Self::Plain(mysql_cqrs(pool, vec![], context))
    }

    pub fn with_outbox(pool: MySqlPool, context: Context) -> Self {
        let store = PersistedEventStore::new_event_store(OutboxRepository::new(pool));
        Self::Outbox(CqrsFramework::new(store, vec![], context))
    }

    pub async fn execute(
        &self,
        movie_id: &str,
        command: MovieCommand,
        metadata: HashMap<String, String>,
    ) -> Result<(), AggregateError<MovieError>> {
        match self {
            Self::Plain(cqrs) => cqrs.execute_with_metadata(movie_id, command, metadata).await,
            Self::Outbox(cqrs) => cqrs.execute_with_metadata(movie_id, command, metadata).await,
        }
    }
}
