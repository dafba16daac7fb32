//! The admin REST API. See `Application` for what it is made of.

use clap::Parser;
use command_api::{Application, Settings};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Takes admins' commands, appends events to the log, and publishes the log to Kafka.
/// Settings: command-api/config/default.toml, MARQUEE_CONFIG_FILE, MARQUEE_* in the environment.
#[derive(Parser)]
#[command(version)]
struct Arguments {}

fn main() -> anyhow::Result<()> {
    Arguments::parse();
    let runtime = Runtime::new()?;
    let result = runtime.block_on(run());
    // Everything has ended in order by now, but a call of librdkafka may still wait for a Kafka that is away.
    runtime.shutdown_background();
    result
}

async fn run() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let telemetry = marquee_infra::telemetry::init(&settings.log)?;
    Application::build(settings, Some(telemetry.metrics)).await?.run_until_stopped().await
}
