//! Logs and metrics: JSON lines on standard output, and Prometheus text on request.

mod json;
mod lines;

use std::{io, thread, time::Duration};

use json::JsonLines;
use lines::lines_to;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, prelude::*, util::TryInitError};

pub use lines::LogWriter;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// A tracing-subscriber filter, such as `info,sqlx=warn`.
    pub filter: String,
    /// `json`, or `text` for people.
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Debug, Error)]
pub enum TelemetryError {
    #[error("the log filter is not valid")]
    Filter(#[from] ParseError),
    #[error("logging is set up already")]
    Log(#[from] TryInitError),
    #[error("metrics cannot be set up")]
    Metrics(#[from] BuildError),
    #[error("a thread cannot be started")]
    Thread(#[from] io::Error),
}

/// Upper bounds of every histogram named `*_seconds`, from 100 microseconds to 10 s.
const SECONDS_BUCKETS: [f64; 16] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0,
    2.5, 10.0,
];
/// Upper bounds of every histogram of a count (batch sizes).
const COUNT_BUCKETS: [f64; 11] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// A histogram keeps every measurement until it is counted: how often that is done, whoever scrapes.
const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What `init` has set up.
#[derive(Debug)]
pub struct Telemetry {
    pub metrics: PrometheusHandle,
    pub log_writer: LogWriter,
}

/// Sets up logging and metrics for this process. Once; a second call is an error.
pub fn init(settings: &LogSettings) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let (sink, log_writer) = lines_to(io::stdout())?;
    match settings.format {
        LogFormat::Json => {
            registry.with(fmt::layer().event_format(JsonLines).with_writer(sink)).try_init()?;
        }
        LogFormat::Text => registry.with(fmt::layer().with_writer(sink)).try_init()?,
    }
    let metrics = metrics_builder()?.install_recorder()?;
    keep_up(metrics.clone())?;
    Ok(Telemetry { metrics, log_writer })
}

/// For as long as the process lives, and on a thread of its own: no request is to wait for it.
fn keep_up(metrics: PrometheusHandle) -> io::Result<()> {
    thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            thread::sleep(METRICS_UPKEEP_INTERVAL);
            metrics.run_upkeep();
        }
    })?;
    Ok(())
}

fn metrics_builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
        .set_buckets(&COUNT_BUCKETS)
}
