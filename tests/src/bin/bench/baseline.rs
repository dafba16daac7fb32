//! The server that commands are compared with, as a process on a database of its own.

use std::{fs, path::PathBuf};

use marquee_infra::clock;
use marquee_tests::{database::Database, servers::binaries, service::Service};

pub struct Baseline {
    pub service: Service,
    database: Database,
    folder: PathBuf,
}

impl Baseline {
    pub async fn start() -> anyhow::Result<Self> {
        let name = format!("marquee_t_es_{}", hex::encode(clock::random_bytes::<6>()));
        let folder = binaries().join("marquee-tests").join(&name);
        fs::create_dir_all(&folder)?;
        let database = Database::create(&name).await;
        // As many threads as command-api gets from the tests' harness.
        let environment = [
            ("DATABASE_URL", database.url(None)),
            ("MARQUEE_HTTP_BIND", "127.0.0.1:0".to_owned()),
            ("MARQUEE_HTTP_WORKERS", "2".to_owned()),
        ];
        let service = Service::new("mysql_es_baseline", &folder, environment);
        service.start_ready().await;
        Ok(Self { service, database, folder })
    }

    pub async fn remove(self) -> anyhow::Result<()> {
        self.service.kill();
        self.database.drop_now().await;
        fs::remove_dir_all(&self.folder)?;
        Ok(())
    }
}
