//! The table of copies that are to be made.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, MySqlConnection, MySqlPool, QueryBuilder, types::Json};

use crate::{checkpoint::Lane, failure::Failure, sql};

const MAX_OFFSETS: usize = 256;

/// A parked record, as it came.
#[derive(Debug, FromRow)]
pub struct Row {
    pub id: u64,
    pub projection: String,
    pub topic: String,
    pub kafka_partition: i32,
    pub kafka_offset: i64,
    pub record_key: Option<Vec<u8>>,
    pub headers: Json<Vec<Value>>,
    pub payload: Option<Vec<u8>>,
    pub error: String,
    pub parked_at: DateTime<Utc>,
}

/// Has the records at these offsets copied, which this transaction has parked.
pub async fn enqueue(
    tx: &mut MySqlConnection,
    lane: &Lane,
    offsets: &[i64],
) -> Result<(), Failure> {
    for offsets in offsets.chunks(MAX_OFFSETS) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO dead_letter_outbox (projection, topic, kafka_partition, kafka_offset,
                 record_key, headers, payload, error, parked_at)
             SELECT projection, topic, kafka_partition, kafka_offset, record_key, headers, payload,
                 error, parked_at
             FROM parked_events WHERE projection = ",
        );
        insert.push_bind(lane.projection).push(" AND topic = ").push_bind(&lane.topic);
        insert.push(" AND kafka_partition = ").push_bind(lane.partition);
        insert.push(" AND kafka_offset IN ");
        sql::push_list(&mut insert, offsets);
        insert.push(" ORDER BY kafka_offset");
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}

/// The oldest copies that are to be made: as many as have `max_bytes` together, but at least one.
pub async fn next(
    pool: &MySqlPool,
    max_rows: u32,
    max_bytes: u64,
) -> Result<Vec<Row>, sqlx::Error> {
    let sizes: Vec<(u64, u64)> = sqlx::query_as(
        "SELECT id, CAST(COALESCE(LENGTH(payload), 0) AS UNSIGNED) FROM dead_letter_outbox
         ORDER BY id LIMIT ?",
    )
    .bind(max_rows)
    .fetch_all(pool)
    .await?;
    let mut bytes: u64 = 0;
    let ids: Vec<u64> = sizes
        .into_iter()
        .take_while(|(_, size)| {
            let fits = bytes == 0 || bytes + size <= max_bytes;
            // An empty value takes room, too.
            bytes += size.max(&1);
            fits
        })
        .map(|(id, _)| id)
        .collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = QueryBuilder::new(
        "SELECT id, projection, topic, kafka_partition, kafka_offset, record_key, headers, payload,
             error, parked_at
         FROM dead_letter_outbox WHERE id IN ",
    );
    sql::push_list(&mut select, &ids);
    select.push(" ORDER BY id");
    select.build_query_as().fetch_all(pool).await
}

/// What has been copied.
pub async fn delete(pool: &MySqlPool, ids: &[u64]) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut delete = QueryBuilder::new("DELETE FROM dead_letter_outbox WHERE id IN ");
    sql::push_list(&mut delete, ids);
    delete.build().execute(pool).await?;
    Ok(())
}

/// How many copies are still to be made.
pub async fn waiting(pool: &MySqlPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM dead_letter_outbox").fetch_one(pool).await
}
