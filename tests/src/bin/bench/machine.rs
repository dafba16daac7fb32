//! What the figures are measured on, and whether it is fit for it.

use std::{fs, process::Command, time::Duration};

use anyhow::ensure;
use clap::Args;
use marquee_infra::kafka::QuietContext;
use marquee_tests::{servers::servers, service::Service};
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
};
use sqlx::{Connection, MySqlConnection, Row};

use super::cpu::Processes;

/// A broker that remembers the topics of thousands of tests is slower than one that does not.
const MAX_TOPICS: usize = 200;
const METADATA_TIMEOUT: Duration = Duration::from_secs(30);

/// The servers' processes, where they are on this machine.
#[derive(Debug, Clone, Copy, Args)]
pub struct ServerProcesses {
    /// To tell MySQL's CPU time
    #[arg(long)]
    mysql_pid: Option<u32>,
    /// To tell Kafka's CPU time
    #[arg(long)]
    kafka_pid: Option<u32>,
}

impl ServerProcesses {
    /// With the service that is measured.
    pub fn with(self, service: &Service) -> Processes {
        let mut processes = self.alone();
        processes.insert("service", service.pid());
        processes
    }

    pub fn alone(self) -> Processes {
        let servers = [("mysql", self.mysql_pid), ("kafka", self.kafka_pid)];
        servers.into_iter().filter_map(|(name, pid)| Some((name, pid?))).collect()
    }
}

/// How many topics the broker has; an error when these are too many, with what to do about it.
pub fn check_broker(is_any_good: bool) -> anyhow::Result<String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &servers().kafka_brokers);
    let consumer = BaseConsumer::from_config_and_context(&config, QuietContext)?;
    let topics = consumer.fetch_metadata(None, METADATA_TIMEOUT)?.topics().len();
    let too_many = format!(
        "the broker has {topics} topics, most of them left by tests, and would be measured with \
         them"
    );
    ensure!(
        topics <= MAX_TOPICS || is_any_good,
        "{too_many}. For figures that mean something: `infra/local/stack down --profile test --wipe`, \
         then this again. To go on as it is: --any-broker"
    );
    Ok(if topics > MAX_TOPICS {
        format!("WARNING: {too_many}")
    } else {
        format!("Kafka with {topics} topics")
    })
}

pub async fn describe() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut mysql = MySqlConnection::connect(&servers().database_url).await?;
    let row = sqlx::query(
        "SELECT VERSION() AS version, CAST(@@innodb_flush_log_at_trx_commit AS SIGNED) AS flush, \
         CAST(@@log_bin AS SIGNED) AS log_bin, CAST(@@sync_binlog AS SIGNED) AS sync_binlog",
    )
    .fetch_one(&mut mysql)
    .await?;
    let version: String = row.try_get_unchecked("version")?;
    let flag = |name| row.try_get::<i64, _>(name);
    Ok(format!(
        "{}\n{cores} cores ({}), {} of memory, Linux {}; load average before: {}\n\
         MySQL {version} (innodb_flush_log_at_trx_commit={}, log_bin={}, sync_binlog={}), {}",
        marquee_infra::clock::now().format("%Y-%m-%d %H:%M UTC"),
        value_of("/proc/cpuinfo", "model name"),
        memory(),
        read("/proc/sys/kernel/osrelease"),
        read("/proc/loadavg").rsplitn(3, ' ').last().unwrap_or_default(),
        flag("flush")?,
        flag("log_bin")?,
        flag("sync_binlog")?,
        nginx_version(),
    ))
}

/// nginx tells its version on stderr.
fn nginx_version() -> String {
    let fetched = servers().tools.join("nginx");
    let nginx = if fetched.is_file() { fetched } else { "nginx".into() };
    Command::new(nginx).arg("-v").output().map_or_else(
        |_| "nginx of unknown version".to_owned(),
        |output| String::from_utf8_lossy(&output.stderr).trim().replace(" version: ", " "),
    )
}

fn memory() -> String {
    let kilobytes = value_of("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>();
    kilobytes.map_or_else(|_| "unknown".to_owned(), |kilobytes| format!("{} GiB", kilobytes >> 20))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The first `key: value` of a file of such lines.
fn value_of(path: &str, key: &str) -> String {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':'))
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}
