//! mysql-es with a transactional outbox: what a team writes that must not lose an event on its way to Kafka.
//!
//! mysql-es 0.5 commits a transaction of its own, which nothing else can join. So events are stored by this
//! repository instead: into mysql-es's table by mysql-es's statement, and into the outbox, in one transaction.
//! All else is mysql-es's.

use cqrs_es::{
    Aggregate,
    persist::{
        PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent,
        SerializedSnapshot,
    },
};
use mysql_es::MysqlEventRepository;
use serde_json::Value;
use sqlx::{MySqlPool, MySqlTransaction};

/// With the columns that Debezium's outbox event router expects.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS outbox (
    id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    aggregatetype VARCHAR(255) NOT NULL,
    aggregateid   VARCHAR(255) NOT NULL,
    type          VARCHAR(255) NOT NULL,
    payload       JSON NOT NULL
)";

const INSERT_EVENT: &str = "
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?)";

const INSERT_OUTBOX: &str = "
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
VALUES (?, ?, ?, ?)";

pub struct OutboxRepository {
    pool: MySqlPool,
    mysql_es: MysqlEventRepository,
}

impl OutboxRepository {
    pub fn new(pool: MySqlPool) -> Self {
        Self { mysql_es: MysqlEventRepository::new(pool.clone()), pool }
    }
}

impl PersistedEventRepository for OutboxRepository {
    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _snapshot_update: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        let mut transaction = self.pool.begin().await.map_err(failure)?;
        for event in events {
            insert::<A>(&mut transaction, event).await.map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }

    async fn get_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.mysql_es.get_events::<A>(aggregate_id).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.mysql_es.get_last_events::<A>(aggregate_id, last_sequence).await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        self.mysql_es.get_snapshot::<A>(aggregate_id).await
    }

    async fn stream_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        self.mysql_es.stream_events::<A>(aggregate_id).await
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        self.mysql_es.stream_all_events::<A>().await
    }
}

async fn insert<A: Aggregate>(
    transaction: &mut MySqlTransaction<'_>,
    event: &SerializedEvent,
) -> Result<(), sqlx::Error> {
    sqlx::query(INSERT_EVENT)
        .bind(A::TYPE)
        .bind(&event.aggregate_id)
        .bind(i64::try_from(event.sequence).unwrap_or(i64::MAX))
        .bind(&event.event_type)
        .bind(&event.event_version)
        .bind(&event.payload)
        .bind(&event.metadata)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(INSERT_OUTBOX)
        .bind(A::TYPE)
        .bind(&event.aggregate_id)
        .bind(&event.event_type)
        .bind(&event.payload)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn failure(error: sqlx::Error) -> PersistenceError {
    PersistenceError::UnknownError(Box::new(error))
}
