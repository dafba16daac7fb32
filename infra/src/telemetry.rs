//! Logs and metrics: JSON lines on standard output, and Prometheus text on request.

use std::io::{self, BufWriter};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use thiserror::Error;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
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

/// Lines that wait to be written. When there are more, whoever logs waits: none is dropped.
const MAX_WAITING_LINES: usize = 16_384;
const WRITE_BUFFER_BYTES: usize = 64 * 1_024;

/// What `init` has set up.
#[derive(Debug)]
pub struct Telemetry {
    pub metrics: PrometheusHandle,
    /// Lines are written by a thread of their own, many at a time, so that a request need not wait
    /// for standard output. When this is dropped, what still waits is written: keep it until the end.
    pub log_writer: WorkerGuard,
}

/// Sets up logging and metrics for this process. Once; a second call is an error.
pub fn init(settings: &LogSettings) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let (writer, log_writer) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(MAX_WAITING_LINES)
        // It is flushed whenever nothing waits.
        .finish(BufWriter::with_capacity(WRITE_BUFFER_BYTES, io::stdout()));
    match settings.format {
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_writer(writer),
            )
            .try_init()?,
        LogFormat::Text => registry.with(fmt::layer().with_writer(writer)).try_init()?,
    }
    Ok(Telemetry { metrics: metrics_builder()?.install_recorder()?, log_writer })
}

fn metrics_builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
        .set_buckets(&COUNT_BUCKETS)
}
