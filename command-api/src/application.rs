//! Putting the service together, running it, and stopping it without losing anything.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    dev::Server,
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use anyhow::Context;
use chrono::TimeDelta;
use marquee_infra::{
    clock,
    event_log::{EventLog, EventReader, lease::RelayLease},
    http::{Authenticator, Check, Health, bind, configure_openapi, serve, shutdown_signal},
    mysql::{
        self,
        accounts::{self, Account},
    },
    probing::{self, Prober},
    rate_limit::{self, RateLimiter, TrustedProxies},
    redis,
    sealing::Sealer,
};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::MySqlPool;
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::{
    Settings,
    commands::{CommandService, Ingest},
    http::{ApiDescription, ApiState, routes},
    relay::{LogTail, Relay, RelayStatus},
    revalidation::{Revalidation, RevalidationSettings},
    settings::ProbeSettings,
};

/// Connections of the relay: its own, so that busy commands do not hold it up.
const RELAY_CONNECTIONS: u32 = 3;

/// The service, listening but not yet serving.
#[derive(Debug)]
pub struct Application {
    settings: Settings,
    listener: TcpListener,
    health: Health,
    state: ApiState,
    authenticator: web::Data<Authenticator>,
    limiter: web::Data<RateLimiter>,
    trusted_proxies: web::Data<TrustedProxies>,
    appender: JoinHandle<()>,
    relay: Option<Relay>,
    revalidation: Option<Revalidation>,
    shutdown: CancellationToken,
}

impl Application {
    /// Needs none of MySQL, Kafka and Redis to be up: until they are, the service is not ready.
    /// Call it on a multi-threaded tokio runtime: commands and the relay run there.
    pub async fn build(
        settings: Settings,
        metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<Self> {
        let shutdown = CancellationToken::new();
        let pool = mysql::connect_lazy(&settings.mysql.url, settings.mysql.max_connections)
            .context("mysql.url (DATABASE_URL)")?;
        let redis = redis::connect_lazy(&settings.redis.url).context("redis.url (REDIS_URL)")?;
        let authenticator = Authenticator::new(&settings.jwt)?;
        let sealer = Sealer::new(pool.clone(), &settings.sealing.keys)?;
        let prober = Prober::new(probe_settings(&settings.probe)?)?;
        let limits = &settings.rate_limit;
        let limiter = RateLimiter::new(
            rate_limit::Scope::AdminMutation,
            limits.into(),
            redis,
            &settings.redis.key_prefix,
        );
        let trusted_proxies =
            TrustedProxies::new(limits.trusted_proxies.clone(), limits.client_ip_header);

        // The port is taken before anything runs that would have to be stopped again.
        let listener = bind(&settings.http).with_context(|| settings.http.bind.clone())?;
        let (log, appender) =
            EventLog::start(pool.clone(), settings.append.into(), shutdown.clone()).await;
        let relay = settings.relay.enabled.then(|| relay(&settings, &log, shutdown.clone()));
        let relay = relay.transpose()?;
        let health = Health::new(checks(&pool, relay.as_ref()), metrics);
        tokio::spawn(
            shutdown
                .clone()
                .run_until_cancelled_owned(accounts::report_own(pool.clone(), Account::CommandApi)),
        );
        let state = ApiState {
            commands: CommandService::new(log),
            ingest: Ingest::new(prober, sealer),
            runtime: Handle::current(),
        };
        let revalidation = relay
            .as_ref()
            .filter(|_| settings.revalidation.enabled)
            .map(|relay| revalidation(&settings, &state, pool, relay, shutdown.clone()));
        Ok(Self {
            settings,
            listener,
            health,
            state,
            authenticator: web::Data::new(authenticator),
            limiter: web::Data::new(limiter),
            trusted_proxies: web::Data::new(trusted_proxies),
            appender,
            relay,
            revalidation,
            shutdown,
        })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until SIGTERM or SIGINT; then ends requests in flight, then the appends they made,
    /// then the relay.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        let address = self.address()?;
        let server = self.server(self.listener.try_clone()?)?;
        let handle = server.handle();
        let server = tokio::spawn(server);
        tracing::info!(%address, "command-api serves");

        shutdown_signal().await?;
        tracing::info!("command-api stops");
        handle.stop(true).await;
        server.await??;
        self.shutdown.cancel();
        if let Some(revalidation) = self.revalidation {
            revalidation.stopped().await?;
        }
        self.appender.await?;
        if let Some(relay) = self.relay {
            relay.stopped().await?;
        }
        Ok(())
    }

    fn server(&self, listener: TcpListener) -> io::Result<Server> {
        let state = web::Data::new(self.state.clone());
        let authenticator = self.authenticator.clone();
        let limiter = self.limiter.clone();
        let trusted_proxies = self.trusted_proxies.clone();
        serve(
            listener,
            &self.settings.http,
            self.health.clone(),
            move |config: &mut ServiceConfig| {
                config
                    .app_data(state.clone())
                    .app_data(authenticator.clone())
                    .app_data(limiter.clone())
                    .app_data(trusted_proxies.clone())
                    .configure(|config| configure_openapi(config, ApiDescription::openapi()))
                    .service(
                        web::scope("/v1").wrap(from_fn(rate_limit::enforce)).configure(routes),
                    );
            },
        )
    }
}

fn probe_settings(settings: &ProbeSettings) -> anyhow::Result<probing::ProbeSettings> {
    let header = settings.header.expose_secret();
    let header = match header.split_once(':') {
        Some((name, value)) => Some((name.trim().to_owned(), SecretString::from(value.trim()))),
        None if header.is_empty() => None,
        None => anyhow::bail!("probe.header must be \"Name: value\""),
    };
    Ok(probing::ProbeSettings {
        allow: settings.allow.join(",").parse().context("probe.allow")?,
        ca_file: Some(&settings.ca_file).filter(|path| !path.is_empty()).map(Into::into),
        header,
        timeout: Duration::from_secs(settings.timeout_seconds),
        ..probing::ProbeSettings::default()
    })
}

fn relay(
    settings: &Settings,
    log: &EventLog,
    shutdown: CancellationToken,
) -> anyhow::Result<Relay> {
    let pool = mysql::connect_lazy(&settings.mysql.url, RELAY_CONNECTIONS)?;
    let holder = match settings.relay.holder.as_str() {
        "" => format!("command-api-{}", clock::new_uuid()),
        name => name.to_owned(),
    };
    let lease =
        RelayLease::new(pool.clone(), holder, Duration::from_millis(settings.relay.lease_ms));
    let mut relay_settings =
        crate::relay::RelaySettings::new(settings.kafka.clone(), &settings.topics.prefix);
    relay_settings.topic_settings = settings.topics.creation();
    relay_settings.delivery = settings.relay.delivery;
    relay_settings.poll_interval = Duration::from_millis(settings.relay.poll_interval_ms);
    relay_settings.max_linger = Duration::from_millis(settings.relay.max_linger_ms);
    let tail = LogTail::new(EventReader::new(pool), log);
    Ok(Relay::start(tail, lease, relay_settings, shutdown))
}

fn revalidation(
    settings: &Settings,
    state: &ApiState,
    pool: MySqlPool,
    relay: &Relay,
    shutdown: CancellationToken,
) -> Revalidation {
    let interval = TimeDelta::seconds(settings.revalidation.interval_seconds.into());
    let concurrency = settings.revalidation.concurrency;
    Revalidation::start(
        state.commands.clone(),
        state.ingest.clone(),
        EventReader::new(pool),
        relay.watch(),
        RevalidationSettings { interval, concurrency },
        shutdown,
    )
}

/// Commands need MySQL alone. The relay may be behind, or away: it catches up.
fn checks(pool: &MySqlPool, relay: Option<&Relay>) -> Vec<Check> {
    let schema = mysql::schema_check(pool);
    let pool = pool.clone();
    let mysql = Check::required("mysql", move || {
        let pool = pool.clone();
        async move {
            match EventReader::new(pool).head().await {
                Ok(position) => Ok(json!({ "position": position })),
                Err(error) => Err(error.to_string()),
            }
        }
    });
    let status = relay.map(Relay::watch).map(Arc::new);
    let relay = Check::informative("relay", move || {
        let status: Option<RelayStatus> = status.as_ref().map(|status| status.borrow().clone());
        async move {
            match status {
                None => Ok(json!("disabled")),
                Some(status) if status.problem.is_none() => Ok(json!(status)),
                Some(status) => Err(json!(status).to_string()),
            }
        }
    });
    vec![mysql, schema, relay]
}
