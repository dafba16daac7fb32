//! A whole Marquee: its own database, topics, keys, ports and processes. Nothing is left of it when it is dropped.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::{Arc, Weak},
    thread,
};

use marquee_infra::{clock, kafka::Topics, mysql::accounts::Account};
use tokio::sync::Mutex;

use crate::{
    admin::Admin,
    clean_up,
    client::{Api, http},
    database::Database,
    edge::{Edge, free_port, run},
    jwt, redis,
    servers::{binaries, program, servers},
    service::Service,
    topic,
};

/// How a [`Marquee`] differs from an ordinary one.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Where the services find MySQL, Kafka and Redis instead: a proxy's `host:port`.
    pub mysql: Option<String>,
    pub kafka: Option<String>,
    pub redis: Option<String>,
    /// On another MySQL than that of all tests, as `DATABASE_URL` would have it.
    pub mysql_server: Option<String>,
    /// With an nginx edge of its own.
    pub edge: bool,
    /// Further settings of all services, as environment variables.
    pub settings: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub struct Marquee {
    // In this order they are dropped: what uses something before what it uses.
    edge: Option<Edge>,
    pub command_api: Service,
    pub projector: Service,
    pub query_api: Service,
    pub database: Database,
    pub topics: Topics,
    /// Of everything it keeps in Redis and Kafka.
    pub prefix: String,
    folder: PathBuf,
}

impl Marquee {
    /// All three services, ready.
    pub async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub async fn start_with(setup: Setup) -> Self {
        let marquee = Self::prepare(setup).await;
        tokio::join!(
            marquee.command_api.start_ready(),
            marquee.projector.start_ready(),
            marquee.query_api.start_ready(),
        );
        marquee
    }

    /// One for all the tests that run at the same time and change nothing but movies of their own.
    pub async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Marquee>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(marquee) = shared.upgrade() {
            return marquee;
        }
        let marquee = Arc::new(Self::start_with(Setup { edge: true, ..Setup::default() }).await);
        *shared = Arc::downgrade(&marquee);
        marquee
    }

    /// The database and the topics, and services that are not started yet.
    pub async fn prepare(setup: Setup) -> Self {
        let name = format!("marquee_t_{}", hex::encode(clock::random_bytes::<6>()));
        let folder = binaries().join("marquee-tests").join(&name);
        fs::create_dir_all(&folder).expect("a folder can be made below target/");
        let prefix = format!("{name}.");
        let server = setup.mysql_server.as_ref().unwrap_or(&servers().database_url);
        let database = Database::create_at(server, &name).await;

        // The edge asks the query API, so both ports have to be known before either starts.
        let (edge_port, verify_port) = (free_port(), free_port());
        let environment = environment(&setup, &prefix, edge_port);
        let service = |name, account| {
            let url = database.url_of(account, setup.mysql.as_deref());
            let own = [("DATABASE_URL", url)];
            Service::new(name, &folder, own.into_iter().chain(environment.clone()))
        };
        // From here on a failure leaves nothing behind.
        let mut marquee = Self {
            edge: None,
            command_api: service("command-api", Account::CommandApi),
            projector: service("projector", Account::Projector),
            query_api: service("query-api", Account::QueryApi),
            topics: Topics::with_prefix(&prefix),
            database: database.clone(),
            prefix,
            folder: folder.clone(),
        };
        // Not through a proxy: the database is to be there, whatever the services find.
        let mut migration = common_environment(&Setup::default(), &marquee.prefix);
        migration.push(("DATABASE_URL", database.url()));
        migration.extend(database.users());
        migrate(migration).await;
        if setup.edge {
            marquee.query_api.set("MARQUEE_HTTP_BIND", &format!("127.0.0.1:{verify_port}"));
            marquee.edge = Some(Edge::start(&folder.join("edge"), edge_port, verify_port));
        }
        marquee
    }

    /// `projector rebuild` or `rollback`: as their own user, who may make and drop tables.
    pub fn rebuild_command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.projector.command(arguments);
        command.env("DATABASE_URL", self.database.url_of(Account::Rebuild, None));
        command
    }

    /// # Panics
    /// When it was set up without one.
    pub fn edge(&self) -> &Edge {
        self.edge.as_ref().expect("Setup { edge: true, .. }")
    }

    /// An admin at this Marquee's REST API.
    pub fn admin(&self) -> Admin {
        Admin::new(self.commands(), self.media())
    }

    /// The command API, as an admin.
    pub fn commands(&self) -> Api {
        Api::new(http(), self.command_api.url(), Some(jwt::admin()))
    }

    /// The query API, as an anonymous viewer.
    pub fn queries(&self) -> Api {
        Api::new(http(), self.query_api.url(), None)
    }

    /// Where the media are.
    pub fn media(&self) -> String {
        self.edge.as_ref().map_or_else(|| servers().edge_url.clone(), Edge::url)
    }

    pub fn logs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("command-api", self.command_api.log()),
            ("projector", self.projector.log()),
            ("query-api", self.query_api.log()),
            ("edge", self.edge.as_ref().map_or_else(String::new, Edge::log)),
        ]
    }
}

impl Drop for Marquee {
    fn drop(&mut self) {
        for service in [&self.command_api, &self.projector, &self.query_api] {
            service.kill();
        }
        self.edge = None;
        let (database, prefix) = (&self.database, &self.prefix);
        clean_up::from_drop(&format!("{prefix}*"), async {
            database.drop_now().await;
            topic::delete_topics(prefix).await?;
            redis::remove(prefix).await?;
            Ok(())
        });
        if thread::panicking() {
            eprintln!("the logs are in {}", self.folder.display());
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

/// Where the servers are, and what keeps this Marquee apart from others.
fn common_environment(setup: &Setup, prefix: &str) -> Vec<(&'static str, String)> {
    let kafka = setup.kafka.clone().unwrap_or_else(|| servers().kafka_brokers.clone());
    let redis = setup.redis.as_ref().map(|address| format!("redis://{address}/0"));
    vec![
        ("KAFKA_BROKERS", kafka),
        ("REDIS_URL", redis.unwrap_or_else(|| servers().redis_url.clone())),
        ("MARQUEE_TOPICS_PREFIX", prefix.to_owned()),
        ("MARQUEE_REDIS_KEY_PREFIX", prefix.to_owned()),
    ]
}

fn environment(setup: &Setup, prefix: &str, edge_port: u16) -> Vec<(&'static str, String)> {
    let mut environment = common_environment(setup, prefix);
    let allow = format!("{},127.0.0.0/8:{edge_port}", servers().probe_allow);
    environment.extend([
        ("MARQUEE_PROBE_ALLOW", allow),
        ("MARQUEE_HTTP_BIND", "127.0.0.1:0".to_owned()),
        ("MARQUEE_HTTP_WORKERS", "2".to_owned()),
        // All tests come from one address.
        ("MARQUEE_RATE_LIMIT_VIEWER_READ_QUOTA", "1000000".to_owned()),
        ("MARQUEE_RATE_LIMIT_ADMIN_MUTATION_QUOTA", "1000000".to_owned()),
    ]);
    environment.extend(setup.settings.iter().cloned());
    environment
}

async fn migrate(environment: Vec<(&'static str, String)>) {
    let projector = program("projector");
    let migrated = tokio::task::spawn_blocking(move || {
        run(Command::new(projector).arg("migrate").envs(environment))
    });
    migrated.await.expect("the migrations succeed");
}
