//! A projector in this process, with a database, topics and consumer groups of its own.

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use marquee_domain::{MovieEvent, MovieId, UserId};
use marquee_infra::{
    clock,
    http::HttpSettings,
    kafka::{self, ClientSettings, CloudEvent, Topics},
    mysql::{self, accounts::AccountsSettings},
    settings::{MysqlSettings, TopicsSettings},
    telemetry::{LogFormat, LogSettings},
};
use marquee_tests::{clean_up, topic};
use projector::{Application, Settings, settings::ReadinessSettings};
use rdkafka::{
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
    message::OwnedHeaders,
    producer::{FutureProducer, FutureRecord, Producer},
};
use secrecy::SecretString;
use sqlx::{Connection, Executor, MySqlConnection, MySqlPool, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);
pub const PARTITIONS: i32 = 3;

pub struct Bed {
    pub pool: MySqlPool,
    pub settings: Settings,
    pub topics: Topics,
    producer: FutureProducer,
    server_url: String,
    database: String,
}

/// A record to publish.
#[derive(Clone)]
pub struct Record {
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: OwnedHeaders,
}

/// A projector that runs until it is stopped.
pub struct Running {
    /// Of its health.
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests learn of the servers")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: eval \"$(infra/local/stack env --profile test)\"")
    })
}

impl Bed {
    pub async fn new() -> Self {
        let bed = Self::without_migrations().await;
        mysql::migrate(&bed.pool).await.expect("migrations apply");
        let settings = &bed.settings;
        kafka::ensure_topics(&settings.kafka, &bed.topics, &settings.topics.creation())
            .await
            .expect("topics are made");
        bed
    }

    pub async fn without_migrations() -> Self {
        let name: String = hex::encode(clock::random_bytes::<6>());
        let database = format!("marquee_t_{name}");
        let url = variable("DATABASE_URL");
        let (server_url, _) = url.rsplit_once('/').expect("the URL names a database");
        let mut connection = MySqlConnection::connect(server_url).await.expect("MySQL is up");
        sqlx::query(&format!("CREATE DATABASE {database}"))
            .execute(&mut connection)
            .await
            .expect("the user may create databases");

        let settings = settings(format!("{server_url}/{database}"), format!("{name}."));
        let mut config = settings.kafka.client_config();
        config
            .set("partitioner", kafka::PARTITIONER)
            .set("transactional.id", format!("{name}.publisher"))
            .set("message.max.bytes", "16000000")
            .set("linger.ms", "0");
        let producer: FutureProducer = config.create().expect("a producer");
        producer.init_transactions(KAFKA_TIMEOUT).expect("Kafka is up");
        Self {
            pool: mysql::connect_lazy(&settings.mysql.url, 4).expect("a pool"),
            topics: settings.topics.names(),
            settings,
            producer,
            server_url: server_url.to_owned(),
            database,
        }
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    async fn drop_database(&self) -> sqlx::Result<()> {
        let mut connection = MySqlConnection::connect(&self.server_url).await?;
        // After a failed test, transactions may be open that nobody ends.
        connection.execute("SET SESSION lock_wait_timeout = 2").await?;
        connection.execute(format!("DROP DATABASE {}", self.database).as_str()).await?;
        Ok(())
    }

    pub fn start(&self) -> Running {
        let application = Application::build(self.settings.clone(), None).expect("it builds");
        let stop = application.stop_token();
        let address = application.address().expect("it listens");
        Running { address, stop, task: tokio::spawn(application.run_until_stopped()) }
    }

    /// Gives the topic these settings, and no others.
    pub async fn configure_topic(&self, topic: &str, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            self.settings.kafka.client_config().create().expect("a client");
        let config = settings
            .iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |config, (name, value)| {
                config.set(name, value)
            });
        let altered = admin.alter_configs([&config], &AdminOptions::new()).await.expect("it is up");
        assert!(altered.iter().all(Result::is_ok), "{altered:?}");
        // The broker learns of it a moment later than the controller.
        wait_until("the topic is as it was told", || async {
            let of = [ResourceSpecifier::Topic(topic)];
            let described = admin.describe_configs(&of, &AdminOptions::new()).await;
            let Some(Ok(config)) = described.expect("it is up").pop() else { return false };
            settings.iter().all(|(name, value)| {
                config.get(name).and_then(|entry| entry.value.as_deref()) == Some(*value)
            })
        })
        .await;
    }

    /// Publishes all of them in one Kafka transaction, as the relay does. Answers the partition and
    /// the offset of each.
    pub async fn publish(&self, topic: &str, records: Vec<Record>) -> Vec<(i32, i64)> {
        let by_key = records.into_iter().map(|record| (record, None)).collect();
        self.publish_at(topic, by_key).await
    }

    /// The same, each to this partition, or to its key's if there is none.
    pub async fn publish_at(
        &self,
        topic: &str,
        records: Vec<(Record, Option<i32>)>,
    ) -> Vec<(i32, i64)> {
        self.producer.begin_transaction().expect("a transaction begins");
        let mut deliveries = Vec::new();
        for (record, partition) in &records {
            let mut message = FutureRecord::<[u8], [u8]>::to(topic).headers(record.headers.clone());
            if let Some(key) = &record.key {
                message = message.key(key);
            }
            if let Some(payload) = &record.payload {
                message = message.payload(payload);
            }
            if let Some(partition) = partition {
                message = message.partition(*partition);
            }
            deliveries.push(self.producer.send_result(message).map_err(|(error, _)| error));
        }
        let mut places = Vec::new();
        for delivery in deliveries {
            let delivery = delivery.expect("it is queued").await.expect("not cancelled");
            let delivery = delivery.expect("it is stored");
            places.push((delivery.partition, delivery.offset));
        }
        self.producer.commit_transaction(KAFKA_TIMEOUT).expect("the transaction commits");
        places
    }

    pub async fn publish_events(&self, events: &[Recorded]) {
        let records = events.iter().map(Recorded::record).collect();
        self.publish(&self.topics.movies, records).await;
    }

    /// Puts the events into the event log, as if command-api had.
    pub async fn log(&self, events: &[Recorded]) {
        let mut tx = self.pool.begin().await.expect("MySQL is up");
        for recorded in events {
            sqlx::query(
                "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type,
                     event_version, payload, metadata, recorded_at)
                 VALUES (?, 'movie', ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(recorded.position)
            .bind(recorded.movie_id.to_string())
            .bind(recorded.sequence)
            .bind(cqrs_es::DomainEvent::event_type(&recorded.event))
            .bind(cqrs_es::DomainEvent::event_version(&recorded.event))
            .bind(sqlx::types::Json(&recorded.event))
            .bind(sqlx::types::Json(serde_json::json!({
                "actor": recorded.actor.to_string(), "command": "Test", "request_id": "r-1",
            })))
            .bind(recorded.recorded_at)
            .execute(&mut *tx)
            .await
            .expect("the log takes it");
        }
        sqlx::query("UPDATE event_log_head SET position = GREATEST(position, ?)")
            .bind(events.iter().map(|recorded| recorded.position).max().unwrap_or(0))
            .execute(&mut *tx)
            .await
            .expect("the head moves");
        tx.commit().await.expect("it is logged");
    }

    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("it can be counted")
    }

    /// That MySQL finds the statement's rows by an index.
    pub async fn assert_no_table_scan(&self, statement: &str) {
        let plan = sqlx::query(&format!("EXPLAIN FORMAT=TREE {statement}"))
            .fetch_all(&self.pool)
            .await
            .unwrap();
        for row in plan {
            let step: Vec<u8> = row.get_unchecked(0);
            let step = String::from_utf8(step).unwrap();
            assert!(!step.contains("Table scan"), "{statement}: {step}");
        }
    }

    /// Waits until the query counts this many.
    pub async fn wait_for_count(&self, expected: i64, sql: &str) {
        wait_until(&format!("{sql} = {expected}"), || async { self.count(sql).await == expected })
            .await;
    }

    /// Waits until the movie's row has this version.
    pub async fn wait_for_version(&self, movie_id: MovieId, version: u64) {
        wait_until(&format!("movie {movie_id} is at version {version}"), || async {
            let found: Option<u64> =
                sqlx::query_scalar("SELECT version FROM catalog_movies WHERE movie_id = ?")
                    .bind(movie_id.to_string())
                    .fetch_optional(&self.pool)
                    .await
                    .expect("the row can be read");
            found == Some(version)
        })
        .await;
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let prefix = &self.settings.topics.prefix;
        clean_up::from_drop(&format!("{prefix}*"), async {
            let removed = tokio::join!(self.drop_database(), topic::delete_topics(prefix));
            removed.0?;
            Ok(removed.1?)
        });
    }
}

impl Running {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("no panic").expect("it stops in order");
    }
}

fn settings(mysql_url: String, prefix: String) -> Settings {
    Settings {
        http: HttpSettings { bind: "127.0.0.1:0".to_owned(), workers: 1, shutdown_seconds: 1 },
        log: LogSettings { filter: "info".to_owned(), format: LogFormat::Text },
        mysql: MysqlSettings { url: SecretString::from(mysql_url), max_connections: 8 },
        mysql_users: AccountsSettings::default(),
        kafka: ClientSettings::new(variable("KAFKA_BROKERS"), "projector-tests"),
        topics: TopicsSettings {
            prefix,
            partitions: PARTITIONS,
            replication_factor: -1,
            min_insync_replicas: 0,
            retention_days: 1,
        },
        readiness: ReadinessSettings { stuck_after_seconds: 30 },
    }
}

pub async fn wait_until<F, Fut>(what: &str, condition: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// An event as the log has it.
#[expect(clippy::struct_field_names, reason = "the column's name")]
#[derive(Debug, Clone)]
pub struct Recorded {
    pub position: u64,
    pub movie_id: MovieId,
    pub sequence: u64,
    pub event: MovieEvent,
    pub actor: UserId,
    pub recorded_at: chrono::DateTime<chrono::Utc>,
}

impl Recorded {
    pub fn cloud_event(&self) -> CloudEvent {
        CloudEvent {
            id: self.position.to_string(),
            event_type: cqrs_es::DomainEvent::event_type(&self.event),
            source: kafka::cloud_event::COMMAND_API.to_owned(),
            subject: self.movie_id.to_string(),
            time: self.recorded_at,
            position: Some(self.position),
            sequence: Some(self.sequence),
            actor: Some(self.actor.to_string()),
            command: Some("Test".to_owned()),
            request_id: Some("r-1".to_owned()),
            trace_parent: None,
        }
    }

    pub fn record(&self) -> Record {
        Record {
            key: Some(self.movie_id.to_string().into_bytes()),
            payload: Some(serde_json::to_vec(&self.event).expect("an event is JSON")),
            headers: self.cloud_event().to_headers(),
        }
    }
}
