//! What the figures were measured on.

use std::{fs, process::Command};

use marquee_tests::servers::servers;
use sqlx::{Connection, MySqlConnection, Row};

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
