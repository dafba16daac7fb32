//! The servers that commands are compared with, each a process on a database of its own.

use std::{fs, path::PathBuf, thread};

use marquee_infra::{
    clock,
    kafka::{ClientSettings, QuietContext},
};
use marquee_tests::{
    database::Database,
    servers::{binaries, servers},
    service::Service,
    topic,
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    config::FromClientConfigAndContext,
};

/// As many as Marquee's topics have.
const PARTITIONS: i32 = 6;
/// How often a polling publisher looks: what one finds in tutorials and libraries.
const POLL_MS: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// mysql-es as it is.
    Plain,
    /// With an outbox, and a publisher that polls it.
    PolledOutbox,
    /// With an outbox, and no publisher: Debezium's part.
    Outbox,
}

pub struct Baseline {
    pub service: Service,
    pub database: Database,
    /// Its outbox's.
    pub topic: String,
    pub folder: PathBuf,
    /// Of the database and the topic.
    pub name: String,
}

impl Baseline {
    pub async fn start(store: Store) -> anyhow::Result<Self> {
        let name = format!("marquee_t_es_{}", hex::encode(clock::random_bytes::<6>()));
        let folder = binaries().join("marquee-tests").join(&name);
        fs::create_dir_all(&folder)?;
        let database = Database::create(&name).await;
        let topic = format!("{name}.outbox");
        // As many threads as command-api gets from the tests' harness.
        let mut environment = vec![
            ("DATABASE_URL", database.url()),
            ("MARQUEE_HTTP_BIND", "127.0.0.1:0".to_owned()),
            ("MARQUEE_HTTP_WORKERS", "2".to_owned()),
        ];
        if store != Store::Plain {
            environment.push(("BASELINE_OUTBOX", "true".to_owned()));
            create_topic(&topic).await?;
        }
        if store == Store::PolledOutbox {
            environment.push(("BASELINE_TOPIC", topic.clone()));
            environment.push(("BASELINE_POLL_MS", POLL_MS.to_string()));
        }
        let service = Service::new("mysql_es_baseline", &folder, environment);
        let baseline = Self { service, database, topic, folder, name };
        baseline.service.start_ready().await;
        Ok(baseline)
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        self.service.kill();
        let (database, name) = (self.database.clone(), self.name.clone());
        // A runtime of its own: drop can't wait on the one it is called in.
        let cleaned = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                database.drop_now().await;
                topic::delete_topics(&name).await.map_err(std::io::Error::other)
            })
        });
        if !matches!(cleaned.join(), Ok(Ok(()))) || fs::remove_dir_all(&self.folder).is_err() {
            eprintln!("{} could not be cleaned up", self.name);
        }
    }
}

async fn create_topic(name: &str) -> anyhow::Result<()> {
    let config = ClientSettings::new(&servers().kafka_brokers, "bench").client_config();
    let admin = AdminClient::from_config_and_context(&config, QuietContext)?;
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(-1));
    for created in admin.create_topics([&topic], &AdminOptions::new()).await? {
        created.map_err(|(topic, error)| anyhow::anyhow!("{topic}: {error}"))?;
    }
    Ok(())
}
