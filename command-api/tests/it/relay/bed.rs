//! A database and topics of a test's own, and ways to look at them.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use command_api::relay::{LogTail, Relay, RelaySettings, RelayStatus};
use marquee_infra::{
    clock,
    event_log::{EventReader, lease::RelayLease},
    kafka::{ClientSettings, CloudEvent, QuietContext},
    mysql,
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};
use serde_json::{Value, json};
use sqlx::{Connection, MySqlConnection, MySqlPool, QueryBuilder};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const DEADLINE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "tests are told by it where the servers are")]
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set; see main.rs"))
}

pub struct Bed {
    pub pool: MySqlPool,
    pub settings: RelaySettings,
    pub wake: watch::Sender<u64>,
    database: String,
}

/// A relay that a test started.
pub struct Running {
    pub relay: Relay,
    pub shutdown: CancellationToken,
}

/// A committed record, as a read_committed consumer sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub partition: i32,
    pub key: String,
    pub event: CloudEvent,
    pub payload: Value,
}

impl Bed {
    pub async fn new() -> Self {
        let name = clock::new_uuid().simple().to_string();
        let database = format!("marquee_t_{name}");
        let url = server("DATABASE_URL");
        let mut root = MySqlConnection::connect(&url).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {database}")).execute(&mut root).await.unwrap();
        let (base, _) = url.rsplit_once('/').unwrap();
        let pool = mysql::connect_lazy(&format!("{base}/{database}").into(), 8).unwrap();
        mysql::migrate(&pool).await.unwrap();

        let kafka = ClientSettings::new(server("KAFKA_BROKERS"), "relay-test");
        let mut settings = RelaySettings::new(kafka, &format!("t-{name}-"));
        settings.topic_settings.partitions = 3;
        Self { pool, settings, wake: watch::channel(0).0, database }
    }

    /// A relay that would hold its lease for a minute, were it not released.
    pub fn relay(&self, holder: &str) -> Running {
        self.relay_with(holder, Duration::from_secs(60), self.settings.clone())
    }

    pub fn relay_with(&self, holder: &str, term: Duration, settings: RelaySettings) -> Running {
        let shutdown = CancellationToken::new();
        let relay = Relay::start(
            LogTail::without_memory(EventReader::new(self.pool.clone()), self.wake.subscribe()),
            RelayLease::new(self.pool.clone(), holder, term),
            settings,
            shutdown.clone(),
        );
        Running { relay, shutdown }
    }

    /// Appends `count` events, spread over `movies` movies, as the event log does.
    pub async fn append(&self, movies: u64, count: u64) -> u64 {
        let mut transaction = self.pool.begin().await.unwrap();
        let head: u64 = sqlx::query_scalar("SELECT position FROM event_log_head FOR UPDATE")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        let mut sequences: HashMap<String, i64> =
            sqlx::query_as("SELECT aggregate_id, MAX(sequence) FROM events GROUP BY aggregate_id")
                .fetch_all(&mut *transaction)
                .await
                .unwrap()
                .into_iter()
                .collect();
        let rows: Vec<_> = (head + 1..=head + count)
            .map(|position| {
                let movie = movie(position % movies).to_string();
                let sequence = sequences.entry(movie.clone()).or_default();
                *sequence += 1;
                (position, movie, *sequence)
            })
            .collect();
        for rows in rows.chunks(500) {
            let mut insert = QueryBuilder::new(
                "INSERT INTO events (position, aggregate_type, aggregate_id, sequence,
                 event_type, event_version, payload, metadata, recorded_at) ",
            );
            insert.push_values(rows, |mut row, (position, movie, sequence)| {
                row.push_bind(position)
                    .push_bind("movie")
                    .push_bind(movie)
                    .push_bind(sequence)
                    .push_bind("marquee.movie.MovieShown.v1")
                    .push_bind("1")
                    .push_bind(payload(*position))
                    .push_bind(json!({
                        "actor": movie, "command": "ShowMovie", "request_id": format!("r{position}")
                    }))
                    .push_bind(clock::now());
            });
            insert.build().execute(&mut *transaction).await.unwrap();
        }
        sqlx::query("UPDATE event_log_head SET position = ?")
            .bind(head + count)
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        self.wake.send_replace(head + count);
        head + count
    }

    /// All that is committed in the movies topic at this moment.
    pub async fn seen(&self) -> Vec<Seen> {
        let settings = self.settings.clone();
        spawn_blocking(move || read_committed(&settings)).await.unwrap()
    }

    /// Every position from 1 once, and in order within each partition and movie.
    pub async fn assert_exactly_once(&self, last: u64) {
        let seen = self.seen().await;
        let mut positions: Vec<_> = seen.iter().map(|one| one.event.position.unwrap()).collect();
        let mut by_partition: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
        for one in &seen {
            by_partition.entry(one.partition).or_default().push(one.event.position.unwrap());
        }
        for (partition, order) in by_partition {
            assert!(order.is_sorted(), "partition {partition}: {order:?}");
        }
        positions.sort_unstable();
        assert_eq!(positions, (1..=last).collect::<Vec<_>>());
    }

    pub async fn close(self) {
        let admin: AdminClient<QuietContext> = self.admin();
        // A test that never reached Kafka has none of them.
        let _ = admin.delete_topics(&self.settings.topics.names(), &AdminOptions::new()).await;
        let drop_database = format!("DROP DATABASE {}", self.database);
        sqlx::query(&drop_database).execute(&self.pool).await.unwrap();
    }

    pub fn admin(&self) -> AdminClient<QuietContext> {
        let config = self.settings.kafka.client_config();
        AdminClient::from_config_and_context(&config, QuietContext).unwrap()
    }
}

impl Running {
    pub async fn reaches(&self, position: u64) -> RelayStatus {
        self.until(|status| status.position >= position).await
    }

    pub async fn until(&self, wanted: impl Fn(&RelayStatus) -> bool) -> RelayStatus {
        let mut status = self.relay.watch();
        let reached = timeout(DEADLINE, status.wait_for(|status| wanted(status))).await;
        match reached {
            Ok(status) => status.unwrap().clone(),
            Err(elapsed) => {
                panic!("not reached ({elapsed}); the relay is at {:?}", self.relay.status())
            }
        }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.relay.stopped()).await.expect("it stops").expect("without a panic");
    }

    /// Ends it as `kill -9` would: nothing is finished, nothing given back.
    pub async fn crash(self) {
        self.relay.abort_handle().abort();
        assert!(self.relay.stopped().await.unwrap_err().is_cancelled());
    }
}

pub fn movie(number: u64) -> Uuid {
    Uuid::from_u128(0x0197_d2a5_0000_7000_8000_0000_0000_0000 + u128::from(number))
}

pub fn payload(position: u64) -> Value {
    json!({"type": "MovieShown", "title": format!("Амели {position} \"quoted\""), "nth": position})
}

fn read_committed(settings: &RelaySettings) -> Vec<Seen> {
    let mut config: ClientConfig = settings.kafka.client_config();
    config
        .set("group.id", "nobody")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer<QuietContext> =
        BaseConsumer::from_config_and_context(&config, QuietContext).unwrap();
    let mut open = TopicPartitionList::new();
    for partition in 0..settings.topic_settings.partitions {
        open.add_partition_offset(&settings.topics.movies, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&open).unwrap();
    let mut ended = 0;
    let mut seen = Vec::new();
    while ended < settings.topic_settings.partitions {
        match consumer.poll(DEADLINE).expect("Kafka answers") {
            Ok(record) => seen.push(Seen {
                partition: record.partition(),
                key: String::from_utf8(record.key().unwrap().to_vec()).unwrap(),
                event: CloudEvent::from_headers(record.headers().unwrap()).unwrap(),
                payload: serde_json::from_slice(record.payload().unwrap()).unwrap(),
            }),
            Err(KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}
