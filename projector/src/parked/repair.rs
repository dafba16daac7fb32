//! Trying parked records again, or giving them up. Both wait for the partition's worker and keep it
//! waiting: the checkpoint's row is their common lock.

use marquee_infra::event_log::EventReader;
use rdkafka::{Timestamp, message::OwnedMessage};
use serde_json::Value;
use sqlx::{FromRow, MySql, MySqlConnection, MySqlPool, QueryBuilder, types::Json};

use super::{Selection, headers_from_json};
use crate::{
    catalog::Catalog,
    checkpoint::{self, Lane},
    failure::Failure,
    projection::{Applied, Projection},
    token_audit::TokenAudit,
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    pub tried: usize,
    pub still_parked: usize,
}

/// Applies the records in order; what fails is parked again. One transaction for each movie.
pub async fn retry(
    pool: &MySqlPool,
    log: &EventReader,
    selection: &Selection,
) -> Result<Retried, Failure> {
    let mut retried = Retried::default();
    for group in groups(pool, selection).await? {
        let lane = group.lane()?;
        let mut tx = pool.begin().await?;
        checkpoint::begin_repair(&mut tx, &lane).await?;
        let records = group.take(&mut tx).await?;
        let applied = apply(&mut tx, &lane, log, &records).await?;
        super::write(&mut tx, &lane, &records, &applied.parked).await?;
        tx.commit().await?;
        retried.tried += records.len();
        retried.still_parked += applied.parked.len();
    }
    Ok(retried)
}

/// Forgets the records. A movie's next event brings it up to date from the event log.
pub async fn discard(pool: &MySqlPool, selection: &Selection) -> Result<usize, Failure> {
    let mut discarded = 0;
    for group in groups(pool, selection).await? {
        let mut tx = pool.begin().await?;
        checkpoint::begin_repair(&mut tx, &group.lane()?).await?;
        discarded += group.take(&mut tx).await?.len();
        tx.commit().await?;
    }
    Ok(discarded)
}

async fn apply(
    tx: &mut MySqlConnection,
    lane: &Lane,
    log: &EventReader,
    records: &[OwnedMessage],
) -> Result<Applied, Failure> {
    if lane.projection == Catalog::NAME {
        Catalog::new(log.clone()).apply(tx, records).await
    } else {
        TokenAudit.apply(tx, records).await
    }
}

/// Records that are worked on together: one movie's, or one that names no movie.
#[derive(FromRow)]
struct Group {
    projection: String,
    topic: String,
    kafka_partition: i32,
    movie_id: String,
    first_id: u64,
}

async fn groups(pool: &MySqlPool, selection: &Selection) -> Result<Vec<Group>, Failure> {
    let mut select = QueryBuilder::new(
        "SELECT projection, topic, kafka_partition, movie_id, MIN(id) AS first_id
         FROM parked_events",
    );
    match selection {
        Selection::Movie(movie_id) => {
            select.push(" WHERE movie_id = ").push_bind(movie_id.to_string());
        }
        Selection::Id(id) => {
            select.push(" WHERE id = ").push_bind(*id);
        }
        Selection::All => {}
    }
    select.push(
        " GROUP BY projection, topic, kafka_partition, movie_id, IF(movie_id = '', id, 0)
          ORDER BY first_id",
    );
    Ok(select.build_query_as().fetch_all(pool).await?)
}

impl Group {
    fn lane(&self) -> Result<Lane, Failure> {
        let projection = [Catalog::NAME, TokenAudit::NAME]
            .into_iter()
            .find(|name| *name == self.projection)
            .ok_or_else(|| Failure::Refused(format!("projection {}", self.projection)))?;
        Ok(Lane { projection, topic: self.topic.clone(), partition: self.kafka_partition })
    }

    /// The records in order, no longer parked.
    async fn take(&self, tx: &mut MySqlConnection) -> Result<Vec<OwnedMessage>, Failure> {
        #[derive(FromRow)]
        struct Row {
            kafka_offset: i64,
            record_key: Option<Vec<u8>>,
            headers: Json<Vec<Value>>,
            payload: Option<Vec<u8>>,
        }
        let mut select = QueryBuilder::new(
            "SELECT kafka_offset, record_key, headers, payload FROM parked_events",
        );
        self.push_condition(&mut select);
        select.push(" ORDER BY kafka_offset");
        let rows: Vec<Row> = select.build_query_as().fetch_all(&mut *tx).await?;
        let mut delete = QueryBuilder::new("DELETE FROM parked_events");
        self.push_condition(&mut delete);
        delete.build().execute(tx).await?;
        let record = |row: Row| {
            OwnedMessage::new(
                row.payload,
                row.record_key,
                self.topic.clone(),
                Timestamp::NotAvailable,
                self.kafka_partition,
                row.kafka_offset,
                Some(headers_from_json(&row.headers.0)),
            )
        };
        Ok(rows.into_iter().map(record).collect())
    }

    fn push_condition<'a>(&'a self, query: &mut QueryBuilder<'a, MySql>) {
        query.push(" WHERE projection = ").push_bind(&self.projection);
        query.push(" AND topic = ").push_bind(&self.topic);
        query.push(" AND kafka_partition = ").push_bind(self.kafka_partition);
        query.push(" AND movie_id = ").push_bind(&self.movie_id);
        if self.movie_id.is_empty() {
            query.push(" AND id = ").push_bind(self.first_id);
        }
    }
}
