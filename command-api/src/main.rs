//! The admin REST API. See `Application` for what it is made of.

use clap::Parser;
use command_api::{Application, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Takes admins' commands, appends events to the log, and publishes the log to Kafka.
/// Settings: command-api/config/default.toml, MARQUEE_CONFIG_FILE, MARQUEE_* in the environment.
#[derive(Parser)]
#[command(version)]
struct Arguments {}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Arguments::parse();
    let settings = Settings::load()?;
    let telemetry = marquee_infra::telemetry::init(&settings.log)?;
    Application::build(settings, Some(telemetry.metrics)).await?.run_until_stopped().await
}
