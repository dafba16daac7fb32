//! The server that answers catalog reads from MySQL each time, on a Marquee's tables.

use std::{fs, net::SocketAddr};

use marquee_infra::mysql::accounts::Account;
use marquee_tests::{Marquee, servers::binaries, service::Service};

pub struct FromMysql {
    pub service: Service,
}

impl FromMysql {
    pub async fn start(marquee: &Marquee) -> anyhow::Result<Self> {
        let folder = binaries().join("marquee-tests").join(&marquee.prefix);
        fs::create_dir_all(&folder)?;
        let environment = vec![
            ("DATABASE_URL", marquee.database.url_of(Account::QueryApi, None)),
            ("MARQUEE_HTTP_BIND", "127.0.0.1:0".to_owned()),
            // As many threads as query-api gets from the tests' harness.
            ("MARQUEE_HTTP_WORKERS", "2".to_owned()),
        ];
        let service = Service::new("mysql_reads_baseline", &folder, environment);
        service.start_ready().await;
        Ok(Self { service })
    }

    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.service.address().parse()?)
    }
}

impl Drop for FromMysql {
    fn drop(&mut self) {
        self.service.kill();
    }
}
