//! The publisher that goes with an outbox: polls the table, sends what is there to Kafka, deletes it.
//!
//! An idempotent producer that waits for all replicas; at least once, as such publishers are: one that dies after
//! sending and before deleting sends again.

use std::time::Duration;

use anyhow::Context;
use futures::future::try_join_all;
use marquee_infra::kafka::{ClientSettings, PARTITIONER, QuietContext};
use rdkafka::{
    config::FromClientConfigAndContext,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use sqlx::{FromRow, MySqlPool, QueryBuilder};

/// Rows per turn. After a full turn the next one begins at once.
const BATCH_ROWS: usize = 500;

const SELECT: &str = "SELECT id, aggregateid, type AS event_type, CAST(payload AS CHAR) AS payload \
                      FROM outbox ORDER BY id LIMIT 500";

#[derive(FromRow)]
struct Row {
    id: u64,
    aggregateid: String,
    event_type: String,
    payload: String,
}

pub struct Publisher {
    pool: MySqlPool,
    producer: FutureProducer<QuietContext>,
    topic: String,
    interval: Duration,
}

impl Publisher {
    pub fn new(
        pool: MySqlPool,
        brokers: &str,
        topic: String,
        interval: Duration,
    ) -> anyhow::Result<Self> {
        let mut config = ClientSettings::new(brokers, "outbox-publisher").client_config();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", PARTITIONER)
            .set("linger.ms", "1");
        let producer = FutureProducer::from_config_and_context(&config, QuietContext)?;
        Ok(Self { pool, producer, topic, interval })
    }

    /// Runs until the process ends, or something fails: the benchmark is not to go on then.
    pub async fn run(self) -> anyhow::Result<()> {
        loop {
            let published = self.publish_once().await?;
            if published < BATCH_ROWS {
                tokio::time::sleep(self.interval).await;
            }
        }
    }

    async fn publish_once(&self) -> anyhow::Result<usize> {
        let rows: Vec<Row> =
            sqlx::query_as(SELECT).fetch_all(&self.pool).await.context("reading the outbox")?;
        let Some(first) = rows.first() else { return Ok(0) };
        let sent = rows.iter().map(|row| self.send(row)).collect::<anyhow::Result<Vec<_>>>()?;
        for delivery in try_join_all(sent).await? {
            delivery.map_err(|(error, _)| error).context("sending to Kafka")?;
        }
        // Not "all up to the last": a row with a smaller id may have been committed since.
        let mut delete = QueryBuilder::new("DELETE FROM outbox WHERE id IN (");
        let mut ids = delete.separated(", ");
        ids.push_bind(first.id);
        for row in &rows[1..] {
            ids.push_bind(row.id);
        }
        delete.push(")").build().execute(&self.pool).await.context("emptying the outbox")?;
        Ok(rows.len())
    }

    fn send(&self, row: &Row) -> anyhow::Result<rdkafka::producer::DeliveryFuture> {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "id", value: Some(&row.id.to_string()) })
            .insert(Header { key: "type", value: Some(&row.event_type) });
        let record = FutureRecord::to(&self.topic)
            .key(&row.aggregateid)
            .payload(&row.payload)
            .headers(headers);
        self.producer.send_result(record).map_err(|(error, _)| error).context("sending to Kafka")
    }
}
