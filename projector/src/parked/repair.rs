//! Trying parked records again, or giving them up. Both wait for the partition's worker and keep it
//! waiting: the checkpoint's row is their common lock.

use chrono::{DateTime, Utc};
use marquee_infra::event_log::EventReader;
use rdkafka::{Timestamp, message::OwnedMessage};
use serde_json::Value;
use sqlx::{FromRow, MySql, MySqlConnection, MySqlPool, QueryBuilder, types::Json};

use super::{
    Selection, headers_from_json,
    origin::{self, Origin},
};
use crate::{
    catalog::{Catalog, Reached, RefillError},
    checkpoint::{self, Lane},
    failure::Failure,
    projection::{Parked, Projection},
    projections,
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    pub tried: usize,
    pub still_parked: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discarded {
    pub records: usize,
    /// The movies that the event log could not bring up to date, and why.
    pub behind: Vec<(String, String)>,
}

/// Applies the records in order, and where that fails, the event log's own events of the movie: a
/// record is but a copy of one. What fails either way stays parked. One transaction for each movie.
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
        let taken = group.take(&mut tx).await?;
        retried.tried += taken.len();
        match group.heal(&mut tx, &lane, log, &taken).await {
            Ok(parked) => {
                for parked in &parked {
                    let Some(was) = taken.get(parked.index) else { continue };
                    let record = &was.record;
                    super::insert(&mut tx, &lane, record, parked, Some(was.id), was.parked_at)
                        .await?;
                }
                tx.commit().await?;
                retried.still_parked += parked.len();
            }
            // It stays as it was.
            Err(Failure::Refused(_)) => retried.still_parked += taken.len(),
            Err(failure) => return Err(failure),
        }
    }
    Ok(retried)
}

/// Forgets the records. Their movies are brought up to date from the event log: without the records
/// nothing would tell that they are not.
pub async fn discard(
    pool: &MySqlPool,
    log: &EventReader,
    selection: &Selection,
) -> Result<Discarded, Failure> {
    let mut discarded = Discarded::default();
    for group in groups(pool, selection).await? {
        let lane = group.lane()?;
        let mut tx = pool.begin().await?;
        checkpoint::begin_repair(&mut tx, &lane).await?;
        let taken = group.take(&mut tx).await?;
        discarded.records += taken.len();
        if let Some(origin) = group.origin(&mut tx, &lane, log, &taken).await?
            && let Err(why) = catch_up(&mut tx, log, &origin).await?
        {
            discarded.behind.push((origin.movie_id.to_string(), why));
        }
        tx.commit().await?;
    }
    Ok(discarded)
}

/// The version that the movie has now, or why the event log cannot bring it up to date.
async fn catch_up(
    tx: &mut MySqlConnection,
    log: &EventReader,
    Origin { movie_id, lane }: &Origin,
) -> Result<Result<u64, String>, Failure> {
    match Catalog::new(log.clone()).catch_up(tx, *movie_id, lane.partition).await {
        Ok(Reached { version, position }) => {
            checkpoint::raise(tx, lane, position).await?;
            Ok(Ok(version))
        }
        Err(RefillError::Log(failure)) => Err(failure),
        Err(error) => Ok(Err(error.to_string())),
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

/// A record that is being tried again. If it fails again, it is parked as the one that it was.
struct Taken {
    id: u64,
    parked_at: DateTime<Utc>,
    record: OwnedMessage,
}

impl Group {
    fn lane(&self) -> Result<Lane, Failure> {
        let projection = projections::named(&self.projection)?;
        Ok(Lane { projection, topic: self.topic.clone(), partition: self.kafka_partition })
    }

    /// The movie that the event log can bring up to date in the records' place. This transaction is
    /// its partition's only writer.
    async fn origin(
        &self,
        tx: &mut MySqlConnection,
        lane: &Lane,
        log: &EventReader,
        taken: &[Taken],
    ) -> Result<Option<Origin>, Failure> {
        if self.projection != Catalog::NAME {
            return Ok(None);
        }
        if let Ok(movie_id) = self.movie_id.parse() {
            return Ok(Some(Origin { movie_id, lane: lane.clone() }));
        }
        let Some(nameless) = taken.first() else { return Ok(None) };
        let origin = origin::in_log(tx, lane, log, &nameless.record).await?;
        if let Some(origin) = &origin
            && origin.lane != *lane
        {
            checkpoint::begin_repair(tx, &origin.lane).await?;
        }
        Ok(origin)
    }

    /// What has to be parked again.
    async fn heal(
        &self,
        tx: &mut MySqlConnection,
        lane: &Lane,
        log: &EventReader,
        taken: &[Taken],
    ) -> Result<Vec<Parked>, Failure> {
        let records: Vec<OwnedMessage> = taken.iter().map(|one| one.record.clone()).collect();
        let applied = projections::apply(lane.projection, log, tx, &records).await?;
        if applied.parked.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(origin) = self.origin(tx, lane, log, taken).await? {
            let wanted = records.iter().filter_map(Catalog::version_of).max().unwrap_or(1);
            let reached = catch_up(tx, log, &origin).await?;
            if reached.is_ok_and(|version| version >= wanted) {
                return Ok(Vec::new());
            }
        }
        Ok(applied.parked)
    }

    /// The records in order, no longer parked.
    async fn take(&self, tx: &mut MySqlConnection) -> Result<Vec<Taken>, Failure> {
        #[derive(FromRow)]
        struct Row {
            id: u64,
            kafka_offset: i64,
            record_key: Option<Vec<u8>>,
            headers: Json<Vec<Value>>,
            payload: Option<Vec<u8>>,
            parked_at: DateTime<Utc>,
        }
        let mut select = QueryBuilder::new(
            "SELECT id, kafka_offset, record_key, headers, payload, parked_at FROM parked_events",
        );
        self.push_condition(&mut select);
        select.push(" ORDER BY kafka_offset");
        let rows: Vec<Row> = select.build_query_as().fetch_all(&mut *tx).await?;
        let mut delete = QueryBuilder::new("DELETE FROM parked_events");
        self.push_condition(&mut delete);
        delete.build().execute(tx).await?;
        let taken = |row: Row| Taken {
            id: row.id,
            parked_at: row.parked_at,
            record: OwnedMessage::new(
                row.payload,
                row.record_key,
                self.topic.clone(),
                Timestamp::NotAvailable,
                self.kafka_partition,
                row.kafka_offset,
                Some(headers_from_json(&row.headers.0)),
            ),
        };
        Ok(rows.into_iter().map(taken).collect())
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
