//! The viewers' REST API. See `Application` for what it is made of.

use clap::Parser;
use query_api::{Application, Settings};

/// Set by `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Serves the catalog to viewers, signs their stream URLs, and tells the edge which ones are good.
/// Settings: query-api/config/default.toml, MARQUEE_CONFIG_FILE, MARQUEE_* in the environment.
#[derive(Parser)]
#[command(version)]
struct Arguments {}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Arguments::parse();
    let settings = Settings::load()?;
    let telemetry = marquee_infra::telemetry::init(&settings.log)?;
    Application::build(&settings, Some(telemetry.metrics))?.run_until_stopped().await?;
    Ok(())
}
