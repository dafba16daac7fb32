//! A query API in this process, with a database, Redis keys and topics of its own. The tests write
//! the read models, as the projector would.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use marquee_infra::{
    clock,
    http::{AuthSettings, HttpSettings},
    kafka::{self, ClientSettings, Topics},
    mysql,
    rate_limit::ForwardedHeader,
    sealing::Sealer,
    settings::{MysqlSettings, RedisSettings, SealingSettings, TopicsSettings},
    telemetry::{LogFormat, LogSettings},
};
use marquee_tests::{clean_up, topic::delete_topics};
use query_api::{
    Application, CatalogSettings, CorsSettings, FeedSettings, RateLimitSettings, Settings,
    StopHandle, StreamTokenSettings, ViewerSettings, ViewingSessionSettings,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, Executor, MySqlConnection, MySqlPool};

use crate::{client::Client, sample::Sample, topic};

const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
pub const JWT_SECRET: &str = "a secret of tests only, thirty-two bytes or more";
pub const TOKEN_KEYS: &str =
    "edge-2:101112131415161718191a1b1c1d1e1f,edge-1:000102030405060708090a0b0c0d0e0f";

pub struct Bed {
    pub pool: MySqlPool,
    pub settings: Settings,
    pub topics: Topics,
    sealer: Sealer,
    server_url: String,
    database: String,
    position: Mutex<u64>,
}

/// A query API that runs until it is dropped.
pub struct Running {
    pub client: Client,
    handle: StopHandle,
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests learn of the servers")]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: eval \"$(infra/local/stack env --profile test)\"")
    })
}

impl Bed {
    pub async fn new() -> Self {
        let bed = Self::without_tables().await;
        bed.migrate().await;
        bed
    }

    pub async fn without_tables() -> Self {
        let name = hex::encode(clock::random_bytes::<6>());
        let database = format!("marquee_t_{name}");
        let url = variable("DATABASE_URL");
        let (server_url, _) = url.rsplit_once('/').expect("the URL names a database");
        let mut connection = MySqlConnection::connect(server_url).await.expect("MySQL is up");
        sqlx::query(&format!("CREATE DATABASE {database}"))
            .execute(&mut connection)
            .await
            .expect("the user may create databases");
        let settings = settings(&format!("{server_url}/{database}"), &name);
        let pool = mysql::connect_lazy(&settings.mysql.url, 4).expect("a pool");
        Self {
            sealer: Sealer::new(pool.clone(), &settings.sealing.keys).expect("a sealer"),
            pool,
            topics: settings.topics.names(),
            settings,
            server_url: server_url.to_owned(),
            database,
            position: Mutex::new(0),
        }
    }

    pub async fn migrate(&self) {
        mysql::migrate(&self.pool).await.expect("migrations apply");
    }

    pub async fn make_topics(&self) {
        let client = ClientSettings::new(&self.settings.kafka.brokers, "test");
        kafka::ensure_topics(&client, &self.topics, &self.settings.topics.creation())
            .await
            .expect("topics are made");
        // A new topic's partitions have no leader for a moment.
        until("the topic can be read", async || {
            topic::try_read_all(self, &self.topics.stream_tokens).await.is_ok()
        })
        .await;
    }

    /// Started, and with a catalog that has been read.
    pub async fn start(&self) -> Running {
        let running = self.start_unready();
        until("the catalog is read", async || running.client.get("/readyz").await.status == 200)
            .await;
        running
    }

    pub fn start_unready(&self) -> Running {
        self.settings.check().expect("the settings fit");
        let application = Application::build(&self.settings, None).expect("it builds");
        let address = application.address();
        let handle = application.handle();
        tokio::spawn(application.run_until_stopped());
        Running { client: Client::new(format!("http://{address}")), handle }
    }

    /// Writes the movie as it is now, as the projector does: rows and checkpoint in one transaction.
    /// Returns the position it got.
    pub async fn put(&self, movie: &mut Sample) -> u64 {
        movie.position = {
            let mut position = self.position.lock().expect("no test panicked with it");
            *position += 1;
            *position
        };
        movie.version += 1;
        let mut tx = self.pool.begin().await.expect("a transaction");
        movie.write(&mut tx, &self.sealer, &self.topics.movies).await.expect("rows are written");
        tx.commit().await.expect("it commits");
        movie.position
    }

    /// Written, and served by `running`.
    pub async fn show(&self, running: &Running, movie: &mut Sample) {
        let position = self.put(movie).await;
        running.catches_up(position).await;
    }

    /// What is on MySQL goes away, while the server stays.
    pub async fn drop_database(&self) {
        drop_database(&self.server_url, &self.database).await.expect("it is dropped");
    }
}

impl Drop for Bed {
    /// The test's runtime has several threads, so that the services end their transactions meanwhile.
    fn drop(&mut self) {
        let prefix = &self.settings.topics.prefix;
        clean_up::from_drop(&format!("{prefix}*"), async {
            let database = drop_database(&self.server_url, &self.database);
            let removed = tokio::join!(database, delete_topics(prefix));
            removed.0?;
            Ok(removed.1?)
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The stop is sent at once; what it returns only tells when it has happened.
        drop(self.handle.stop(false));
    }
}

impl Running {
    /// As on SIGTERM: what is in flight may end.
    pub async fn stop_gracefully(&self) {
        self.handle.stop(true).await;
    }

    pub async fn catches_up(&self, position: u64) {
        until("the catalog catches up", async || {
            let list = self.client.get("/v1/genres").await;
            list.json["position"].as_u64() >= Some(position)
        })
        .await;
    }
}

async fn drop_database(server_url: &str, database: &str) -> sqlx::Result<()> {
    let mut connection = MySqlConnection::connect(server_url).await?;
    connection.execute("SET lock_wait_timeout = 5").await?;
    connection.execute(format!("DROP DATABASE IF EXISTS {database}").as_str()).await?;
    Ok(())
}

/// Waits for a condition; panics at the deadline.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn settings(database_url: &str, name: &str) -> Settings {
    let number = |n: u32| std::num::NonZeroU32::new(n).expect("not zero");
    Settings {
        log: LogSettings { filter: "warn".to_owned(), format: LogFormat::Text },
        http: HttpSettings { bind: "127.0.0.1:0".to_owned(), workers: 2, shutdown_seconds: 1 },
        mysql: MysqlSettings { url: database_url.into(), max_connections: 4 },
        redis: RedisSettings {
            url: variable("REDIS_URL").into(),
            key_prefix: format!("marquee-t-{name}:"),
        },
        kafka: ClientSettings::new(variable("KAFKA_BROKERS"), "query-api-test"),
        topics: TopicsSettings {
            prefix: format!("{name}."),
            partitions: 2,
            replication_factor: -1,
            min_insync_replicas: 0,
            retention_days: 1,
        },
        jwt: AuthSettings {
            hs256_secret: JWT_SECRET.into(),
            jwks_file: String::new(),
            audience: "marquee".to_owned(),
        },
        sealing: SealingSettings {
            keys: SecretString::from("test-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        },
        catalog: CatalogSettings {
            poll_interval_ms: 20,
            max_age_seconds: 5,
            consistency_wait_ms: 2_000,
            page_cache_bytes: 1 << 20,
            cursor_seconds: 600,
            past_bytes: 1 << 20,
        },
        stream_token: StreamTokenSettings {
            keys: TOKEN_KEYS.into(),
            keys_file: String::new(),
            ttl_seconds: 300,
        },
        viewer: ViewerSettings { context_key: "ab".repeat(32).into() },
        viewing_session: ViewingSessionSettings { heartbeat_seconds: 30 },
        rate_limit: RateLimitSettings {
            enabled: true,
            viewer_read_quota: number(1_000_000),
            viewer_read_window_seconds: 60,
            session_ceiling: number(10),
            instances: number(1),
            trusted_proxies: Vec::new(),
            client_ip_header: ForwardedHeader::XForwardedFor,
        },
        cors: CorsSettings { origins: vec!["*".to_owned()] },
        feed: FeedSettings {
            max_open: 32,
            max_connections: 2,
            page_events: 1_000,
            head_poll_ms: 10,
            heartbeat_ms: 60_000,
            reader_timeout_ms: 600_000,
        },
    }
}

/// The signing key's bytes, for tests that make tokens of their own.
pub fn signing_key() -> Vec<u8> {
    let keys = SecretString::from(TOKEN_KEYS);
    let first = keys.expose_secret().split(',').next().expect("there is a key").to_owned();
    hex::decode(first.split_once(':').expect("id:hex").1).expect("hexadecimal")
}
