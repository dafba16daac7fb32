//! Logs and metrics: JSON lines on standard output, and Prometheus text on request.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, prelude::*, util::TryInitError};

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
}

/// Upper bounds of every histogram named `*_seconds`, from 100 microseconds to 10 s.
const SECONDS_BUCKETS: [f64; 16] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0,
    2.5, 10.0,
];
/// Upper bounds of every histogram of a count (batch sizes).
const COUNT_BUCKETS: [f64; 11] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Sets up logging and metrics for this process. Once; a second call is an error.
pub fn init(settings: &LogSettings) -> Result<PrometheusHandle, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_current_span(false))
            .try_init()?,
        LogFormat::Text => registry.with(fmt::layer()).try_init()?,
    }
    Ok(metrics_builder()?.install_recorder()?)
}

fn metrics_builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
        .set_buckets(&COUNT_BUCKETS)
}
