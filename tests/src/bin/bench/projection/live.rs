//! The service, on a topic that has the whole log before it starts.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use marquee_tests::{service::Service, wait::until_within};
use tokio::time::sleep;

use super::super::{
    client::{self, Connection},
    cpu::{CpuWatch, peak_memory_mib},
    machine::ServerProcesses,
    passes::Pass,
};

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// For a million events, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Has the relay publish the log, and leaves command-api ended.
pub async fn fill_topic(command_api: &Service, events: u64) -> anyhow::Result<()> {
    command_api.start_ready().await;
    until_within(PATIENCE, "the log is in Kafka", async || {
        let published = command_api.check("relay").await?["position"].as_u64()?;
        (published >= events).then_some(())
    })
    .await;
    command_api.terminate();
    command_api.exit_status().await;
    Ok(())
}

/// From when nothing was projected yet, the consumers having found their partitions, to when all was.
/// Leaves the projector ended.
pub async fn measure(
    projector: &Service,
    events: u64,
    servers: ServerProcesses,
) -> anyhow::Result<Pass> {
    projector.start().await;
    let mut metrics = Metrics::open(projector.address().parse()?).await?;
    let mut watched = servers.alone();
    watched.insert("process", projector.pid());
    let deadline = Instant::now() + PATIENCE;
    let mut begun = (CpuWatch::start(&watched), Instant::now());
    let (cpu, seconds) = loop {
        let projected = metrics.projected().await?;
        if projected >= events {
            break (begun.0.stop(), begun.1.elapsed().as_secs_f64());
        }
        if projected == 0 {
            begun = (CpuWatch::start(&watched), Instant::now());
        }
        anyhow::ensure!(Instant::now() < deadline, "{projected} events were projected in time");
        sleep(LOOK_AGAIN).await;
    };
    let peak_memory_mib = peak_memory_mib(projector.pid());
    projector.terminate();
    projector.exit_status().await;
    Ok(Pass { events, seconds, peak_memory_mib, cpu })
}

struct Metrics {
    connection: Connection,
    request: Vec<u8>,
}

impl Metrics {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let connection = Connection::open(address).await?;
        Ok(Self { connection, request: client::get(address, "/metrics") })
    }

    async fn projected(&mut self) -> anyhow::Result<u64> {
        let answer = self.connection.exchange(&self.request).await?;
        let text = std::str::from_utf8(answer.body)?;
        let name = "marquee_projector_records_total{projection=\"catalog\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        // Not there before there is something to count.
        value.map_or(Ok(0), |value| value.parse().context("a counter is a number"))
    }
}
