//! Debezium in Kafka Connect, as a process of its own that carries one outbox to its topic.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};
use marquee_tests::servers::repository;

use super::baseline::Baseline;

pub struct Debezium {
    child: Child,
    log: PathBuf,
}

impl Debezium {
    /// It takes some seconds until it publishes.
    pub fn start(baseline: &Baseline, poll_interval_ms: u32) -> anyhow::Result<Self> {
        let folder = baseline.folder.join(format!("debezium-{poll_interval_ms}"));
        fs::create_dir_all(&folder)?;
        let log = folder.join("log");
        let output = fs::File::create(&log)?;
        let script = repository().join("infra/local/debezium/debezium");
        let child = Command::new(&script)
            .args(["run", "--profile", "test", "--dir"])
            .arg(&folder)
            .args(["--database", &baseline.name, "--topic", &baseline.topic])
            .args(["--poll-interval-ms", &poll_interval_ms.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| script.display().to_string())?;
        Ok(Self { child, log })
    }

    /// Of Java: the script becomes it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of its log, when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        let end: Vec<&str> = lines.into_iter().rev().collect();
        bail!("it ended with {status}:\n{}", end.join("\n"))
    }
}

impl Drop for Debezium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
