//! The service: a consumer for each projection, the publishers of the catalog topic, of dead letters and
//! of time-outs, and an HTTP server for health and metrics.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::dev::Server;
use anyhow::Context;
use futures::{
    FutureExt,
    future::{BoxFuture, join_all, select_all},
};
use marquee_infra::{
    event_log::EventReader,
    http::{self, Check, Health},
    kafka::FactProducer,
    mysql::{
        self,
        accounts::{self, Account},
    },
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use sqlx::MySqlPool;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::Catalog,
    catalog_topic::{CatalogTopic, CatalogTopicSettings},
    consumer::{Consumer, Shared},
    dead_letters::{DeadLetters, DeadLettersSettings},
    parked,
    progress::Progress,
    projection::Projection,
    rebuild,
    settings::Settings,
    token_audit::TokenAudit,
    viewing_sessions::{Sweeper, ViewingSessions},
};

const CATALOG_GROUP: &str = "marquee.projector.v1";
const AUDIT_GROUP: &str = "marquee.projector-audit.v1";
const SESSIONS_GROUP: &str = "marquee.projector-sessions.v1";

/// For reading the log while a batch is applied. Connections of their own: were they of the pool that
/// the batches' transactions are of, these could hold all of it and wait for one more.
const LOG_CONNECTIONS: u32 = 4;

#[derive(Debug)]
pub struct Application {
    settings: Settings,
    pool: MySqlPool,
    log_pool: MySqlPool,
    progress: Arc<Progress>,
    listener: TcpListener,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
}

impl Application {
    /// Listens, and connects to nothing yet: it starts while MySQL and Kafka are away.
    pub fn build(settings: Settings, metrics: Option<PrometheusHandle>) -> anyhow::Result<Self> {
        let pool = |connections| {
            mysql::connect_lazy(&settings.mysql.url, connections)
                .context("mysql.url is not a URL of a MySQL database")
        };
        let (pool, log_pool) = (pool(settings.mysql.max_connections)?, pool(LOG_CONNECTIONS)?);
        let listener = http::bind(&settings.http)
            .with_context(|| format!("cannot listen at {}", settings.http.bind))?;
        Ok(Self {
            settings,
            pool,
            log_pool,
            progress: Arc::default(),
            listener,
            metrics,
            stop: CancellationToken::new(),
        })
    }

    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Stops the application when cancelled, as SIGTERM does.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs until SIGTERM or SIGINT. Batches in hand are finished first.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        let topics = self.settings.topics.names();
        let catalog = Catalog::new(EventReader::new(self.log_pool.clone()));
        let consumers = [
            self.consume(catalog, topics.movies, CATALOG_GROUP)?,
            self.consume(TokenAudit, topics.stream_tokens, AUDIT_GROUP)?,
            self.consume(ViewingSessions, topics.viewing_sessions.clone(), SESSIONS_GROUP)?,
        ];
        let sweeper = Sweeper {
            pool: self.pool.clone(),
            producer: FactProducer::new(&self.settings.kafka)
                .context("the Kafka settings are not valid")?,
            topic: topics.viewing_sessions,
            progress: Arc::clone(&self.progress),
        };
        let publisher = CatalogTopic::start(
            self.pool.clone(),
            CatalogTopicSettings::new(self.settings.kafka.clone(), &self.settings.topics),
            self.stop.clone(),
        );
        let dead_letters = DeadLetters::start(
            self.pool.clone(),
            DeadLettersSettings::new(self.settings.kafka.clone(), &self.settings.topics),
            self.stop.clone(),
        );
        let gauges = parked::keep_gauges(self.pool.clone());
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(gauges));
        let sweeping = self.stop.clone().run_until_cancelled_owned(sweeper.run());
        let report = accounts::report_own(self.pool.clone(), Account::Projector);
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(report));
        let mut checks = self.checks();
        checks.push(self.catalog_topic_check(&publisher));
        checks.push(dead_letters_check(&dead_letters));
        let health = Health::new(checks, self.metrics.clone());
        let Self { settings, listener, stop, pool, log_pool, .. } = self;
        let address = listener.local_addr()?;
        let server = http::serve(listener, &settings.http, health, |_| {})?;
        tracing::info!(%address, "projector serves");
        let mut parts: Vec<_> = consumers.into_iter().map(|one| one.ended().boxed()).collect();
        parts.push(publisher.ended().boxed());
        parts.push(rebuild::watch(pool.clone(), stop.clone()).boxed());
        parts.push(dead_letters.ended().boxed());
        parts.push(sweeping.map(|_: Option<()>| ()).boxed());
        let outcome = supervise(server, parts, stop).await;
        pool.close().await;
        log_pool.close().await;
        outcome
    }

    fn consume<P: Projection>(
        &self,
        projection: P,
        topic: String,
        group: &str,
    ) -> anyhow::Result<Consumer> {
        let shared = Shared {
            projection: Arc::new(projection),
            topic,
            pool: self.pool.clone(),
            runtime: Handle::current(),
            stop: self.stop.clone(),
            progress: Arc::clone(&self.progress),
        };
        Consumer::start(&self.settings.kafka, &self.settings.topics.group(group), shared)
            .context("cannot start a consumer's thread")
    }

    fn checks(&self) -> Vec<Check> {
        let schema = mysql::schema_check(&self.pool);
        let pool = self.pool.clone();
        let mysql = Check::required("mysql", move || {
            let pool = pool.clone();
            async move {
                sqlx::query("SELECT 1").execute(&pool).await.map_err(|_| "can't be reached")?;
                Ok(json!("reachable"))
            }
        });
        let progress = Arc::clone(&self.progress);
        let kafka = Check::required("kafka", move || {
            let reachable = progress.kafka_reachable();
            async move {
                if reachable { Ok(json!("reachable")) } else { Err("can't be reached".to_owned()) }
            }
        });
        let progress = Arc::clone(&self.progress);
        let limit = Duration::from_secs(self.settings.readiness.stuck_after_seconds);
        let partitions = Check::required("partitions", move || {
            let (stuck, lanes) = (progress.stuck(limit), progress.lanes());
            async move {
                if stuck.is_empty() {
                    let lag: i64 = lanes.iter().map(|lane| lane.lag_events()).sum();
                    let paused = lanes.iter().filter(|lane| lane.is_paused()).count();
                    return Ok(
                        json!({ "assigned": lanes.len(), "paused": paused, "lag_events": lag }),
                    );
                }
                Err(format!("stuck: {}", stuck.join(", ")))
            }
        });
        vec![mysql, schema, kafka, partitions]
    }

    fn catalog_topic_check(&self, publisher: &CatalogTopic) -> Check {
        let status = publisher.watch();
        let limit = Duration::from_secs(self.settings.readiness.stuck_after_seconds);
        Check::required("catalog_topic", move || {
            let status = status();
            async move {
                if status.stalled_for.is_some_and(|stalled| stalled > limit) {
                    return Err(status.problem.unwrap_or_else(|| "stuck".to_owned()));
                }
                Ok(json!(status))
            }
        })
    }
}

/// What is to be copied waits in MySQL: no projection depends on it.
fn dead_letters_check(publisher: &DeadLetters) -> Check {
    let status = publisher.watch();
    Check::informative("dead_letters", move || {
        let status = status();
        async move { status.problem.clone().map_or_else(|| Ok(json!(status)), Err) }
    })
}

/// Runs all of it until it is asked to stop. A part that ends by itself is a failure.
async fn supervise(
    server: Server,
    mut parts: Vec<BoxFuture<'static, ()>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let handle = server.handle();
    let mut server = tokio::spawn(server);
    let outcome = tokio::select! {
        // First: when all are told to stop, they end.
        biased;
        () = stop.cancelled() => Ok(()),
        signal = http::shutdown_signal() => signal.context("signals can't be received"),
        _ = &mut server => Err(anyhow::anyhow!("the HTTP server ended")),
        ((), index, _) = select_all(parts.iter_mut()) => {
            drop(parts.swap_remove(index));
            // The stop may have come after it was looked for above.
            if stop.is_cancelled() {
                Ok(())
            } else {
                Err(anyhow::anyhow!("a consumer, a publisher or a watch ended"))
            }
        }
    };
    tracing::info!("stopping: batches in hand are finished");
    stop.cancel();
    join_all(parts).await;
    handle.stop(true).await;
    outcome
}
