//! The service as a whole: built from settings, run until it is told to stop.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    dev::{Server, ServerHandle},
    web,
};
use chrono::TimeDelta;
use marquee_infra::{
    http::{self, AuthSetupError, Authenticator, Check, Health},
    kafka::{ClientSettings, FactProducer, TopicSettings, Topics, ensure_topics},
    mysql::{
        self,
        accounts::{self, Account},
    },
    rate_limit::{Buckets, RateLimiter, Scope, TrustedProxies},
    redis,
    sealing::{Sealer, SealingError},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use utoipa::OpenApi;

use crate::{
    Settings,
    catalog::{Catalog, CursorKey, Follower, FollowerSettings, Following, PastLimits},
    feed::Feeds,
    history::History,
    routes::{self, ApiDescription, Freshness, Heartbeat, PageCache, Patience, Reads},
    sessions::{Reporter, SessionIds, SessionReader},
    tokens::{
        Audit, BadContextKey, Cdns, CdnsError, Issuer, KeysFile, KeysFileError, LiveCdns,
        LiveTokens, Notices, Outbox, ViewerContextKey,
        cdn::KeysStatus,
        notices,
        outbox::{self, OutboxStatus},
    },
};

/// How often making the topics is tried while Kafka is away.
const TOPICS_RETRY: Duration = Duration::from_secs(1);

/// What keeps a service from starting: its settings and its port, never a server that is down.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("http.bind cannot be listened at")]
    Http(#[from] io::Error),
    #[error("mysql.url is not valid")]
    Mysql(#[from] sqlx::Error),
    #[error("redis.url is not valid")]
    Redis(#[from] ::redis::RedisError),
    #[error("the Kafka settings are not valid")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error(transparent)]
    Auth(#[from] AuthSetupError),
    #[error(transparent)]
    Sealing(#[from] SealingError),
    #[error("stream_token.keys {0}")]
    TokenKeys(#[from] CdnsError),
    #[error("stream_token.keys_file {path}")]
    TokenKeysFile { path: PathBuf, source: KeysFileError },
    #[error(transparent)]
    ContextKey(#[from] BadContextKey),
}

#[derive(Debug)]
pub struct Application {
    address: SocketAddr,
    server: Running,
    catalog: Arc<Catalog>,
    feeds: CancellationToken,
    /// Dropped, it ends what runs beside the server.
    _background: DropGuard,
}

/// Stops the service from elsewhere.
#[derive(Clone)]
pub struct StopHandle {
    server: ServerHandle,
    feeds: CancellationToken,
}

struct Running(Server);

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl StopHandle {
    /// Requests in flight are answered before, if it is to be graceful; feeds that follow the log end
    /// at once.
    pub fn stop(&self, graceful: bool) -> impl Future<Output = ()> + use<> {
        self.feeds.cancel();
        self.server.stop(graceful)
    }
}

impl std::fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StopHandle")
    }
}

impl Application {
    /// Connects to nothing yet: the service starts while its servers are down. Call it within a
    /// tokio runtime, which the catalog's follower and the feeds' reads then run on.
    pub fn build(
        settings: &Settings,
        metrics: Option<PrometheusHandle>,
    ) -> Result<Self, BuildError> {
        let pool = mysql::connect_lazy(&settings.mysql.url, settings.mysql.max_connections)?;
        let redis = redis::connect_lazy(&settings.redis.url)?;
        let topics = settings.topics.names();

        let stop = CancellationToken::new();
        let authenticator = web::Data::new(Authenticator::new(&settings.jwt)?);
        let sealer = web::Data::new(Sealer::new(pool.clone(), &settings.sealing.keys)?);
        let viewers = web::Data::new(ViewerContextKey::parse(&settings.viewer.context_key)?);
        let proxies = web::Data::new(TrustedProxies::new(
            settings.rate_limit.trusted_proxies.clone(),
            settings.rate_limit.client_ip_header,
        ));
        let buckets = web::Data::new(Buckets::new(redis.clone(), &settings.redis.key_prefix));
        let facts = FactProducer::new(&settings.kafka)?;
        let reporter = web::Data::new(Reporter::new(facts, topics.viewing_sessions.clone()));
        let session_ids = web::Data::new(SessionIds::new(&settings.viewer.context_key)?);
        let limiter = web::Data::new(limiter(settings, &session_ids, &viewers)?);
        let heartbeat = web::Data::new(Heartbeat(settings.viewing_session.heartbeat_seconds));
        let sessions = web::Data::new(SessionReader::new(pool.clone()));
        let report = accounts::report_own(pool.clone(), Account::QueryApi);
        let schema = mysql::schema_check(&pool);
        let history = web::Data::new(History::new(pool.clone()));
        let tokens = Tokens::build(settings, &topics, &stop)?;
        let issuer = web::Data::new(tokens.issuer);
        let notices = web::Data::new(tokens.notices);

        let catalog = Arc::new(Catalog::empty());
        let reads = web::Data::new(reads(settings, &catalog));
        let patience = web::Data::new(reads.patience);
        let feeds_stop = stop.child_token();
        // Of their own: data teams are not to make viewers wait for a connection.
        let feed_pool = mysql::connect_lazy(&settings.mysql.url, settings.feed.max_connections)?;
        let feeds = web::Data::new(Feeds::new(feed_pool, settings.feed, feeds_stop.clone()));
        let follower = Follower::new(
            pool,
            FollowerSettings {
                topic: topics.movies.clone(),
                poll_interval: Duration::from_millis(settings.catalog.poll_interval_ms),
                past: PastLimits {
                    age: Duration::from_secs(settings.catalog.cursor_seconds.into()),
                    bytes: settings.catalog.past_bytes,
                },
            },
            Arc::clone(&catalog),
        );
        let health = Health::new(
            [schema, catalog_check(&catalog, follower.following()), redis_check(redis)]
                .into_iter()
                .chain(tokens.checks)
                .collect(),
            metrics,
        );

        let origins = settings.cors.origins.clone();
        let listener = http::bind(&settings.http)?;
        let address = listener.local_addr()?;
        let catalog_data = web::Data::from(Arc::clone(&catalog));
        let server = http::serve(listener, &settings.http, health, move |config| {
            config
                .app_data(authenticator.clone())
                .app_data(buckets.clone())
                .app_data(catalog_data.clone())
                .app_data(feeds.clone())
                .app_data(heartbeat.clone())
                .app_data(history.clone())
                .app_data(issuer.clone())
                .app_data(limiter.clone())
                .app_data(notices.clone())
                .app_data(patience.clone())
                .app_data(proxies.clone())
                .app_data(reads.clone())
                .app_data(reporter.clone())
                .app_data(sealer.clone())
                .app_data(session_ids.clone())
                .app_data(sessions.clone())
                .app_data(viewers.clone())
                .configure(|config| routes::configure(config, &origins))
                .configure(|config| http::configure_openapi(config, ApiDescription::openapi()));
        })?;
        tokio::spawn(follower.run(stop.child_token()));
        let (turning, turned) = (stop.child_token(), Arc::clone(&catalog));
        tokio::spawn(async move { turning.run_until_cancelled(turned.turn()).await });
        tokio::spawn(stop.child_token().run_until_cancelled_owned(report));
        tokio::spawn(stop.child_token().run_until_cancelled_owned(make_topics(
            settings.kafka.clone(),
            topics,
            settings.topics.creation(),
        )));
        Ok(Self {
            address,
            server: Running(server),
            catalog,
            feeds: feeds_stop,
            _background: stop.drop_guard(),
        })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    pub fn handle(&self) -> StopHandle {
        StopHandle { server: self.server.0.handle(), feeds: self.feeds.clone() }
    }

    /// Until SIGTERM or SIGINT, or until the handle stops it.
    pub async fn run_until_stopped(self) -> io::Result<()> {
        let handle = self.handle();
        let Self { address, server: Running(server), catalog: _, feeds: _, _background } = self;
        let signal = tokio::spawn(async move {
            match http::shutdown_signal().await {
                Ok(()) => handle.stop(true).await,
                Err(error) => tracing::error!(%error, "signals cannot be heard"),
            }
        });
        tracing::info!(%address, "query-api listens");
        let outcome = server.await;
        signal.abort();
        tracing::info!("query-api has stopped");
        outcome
    }
}

fn reads(settings: &Settings, catalog: &Arc<Catalog>) -> Reads {
    Reads {
        catalog: Arc::clone(catalog),
        pages: PageCache::with_capacity(settings.catalog.page_cache_bytes),
        freshness: Freshness::up_to(settings.catalog.max_age_seconds),
        patience: Patience(Duration::from_millis(settings.catalog.consistency_wait_ms)),
        cursors: CursorKey::derive(&settings.viewer.context_key),
    }
}

/// What issues stream tokens, and what tells how it fares.
struct Tokens {
    issuer: Issuer,
    notices: Notices,
    checks: Vec<Check>,
}

impl Tokens {
    fn build(
        settings: &Settings,
        topics: &Topics,
        stop: &CancellationToken,
    ) -> Result<Self, BuildError> {
        let mut checks = Vec::new();
        let token = &settings.stream_token;
        let cdns = if token.keys_file.is_empty() {
            LiveCdns::new(Cdns::of_every_host(&token.keys)?)
        } else {
            let path = Path::new(&token.keys_file);
            let file = KeysFile::open(path)
                .map_err(|source| BuildError::TokenKeysFile { path: path.to_owned(), source })?;
            let live = file.live();
            checks.push(keys_check(file.watch()));
            tokio::spawn(stop.child_token().run_until_cancelled_owned(file.follow()));
            live
        };
        // Of their own: a flood of tokens while Kafka is away is not to keep the catalog from following.
        let pool = mysql::connect_lazy(&settings.mysql.url, outbox::CONNECTIONS)?;
        let notices_pool = mysql::connect_lazy(&settings.mysql.url, notices::CONNECTIONS)?;
        let producer = FactProducer::new(&settings.kafka)?;
        let topic = topics.stream_tokens.clone();
        let outbox = Outbox::start(pool, producer.clone(), topic.clone(), stop.child_token());
        let notices =
            Notices::start(notices_pool, producer.clone(), topic.clone(), stop.child_token());
        checks.push(outbox_check(outbox.watch()));
        let redis = &settings.redis;
        let live = LiveTokens::connect_lazy(&redis.url, &redis.key_prefix, stop.child_token())?;
        let ttl = TimeDelta::seconds(token.ttl_seconds.into());
        let issuer = Issuer::new(cdns, ttl, live, Audit::new(producer, topic, outbox));
        Ok(Self { issuer, notices, checks })
    }
}

/// A file of keys that can't be taken is the operator's to mend; those before it serve on.
fn keys_check(status: impl Fn() -> KeysStatus + Send + Sync + 'static) -> Check {
    Check::informative("stream_token_keys", move || {
        let KeysStatus { key_ids, problem } = status();
        let refused = problem.map(|_| "the file of keys cannot be taken".to_owned());
        async move { refused.map_or_else(|| Ok(json!(key_ids)), Err) }
    })
}

/// With a connection of its own: requests wait for it, and for nothing else that Redis is asked.
fn limiter(
    settings: &Settings,
    ids: &web::Data<SessionIds>,
    viewers: &web::Data<ViewerContextKey>,
) -> Result<RateLimiter, BuildError> {
    let limits = &settings.rate_limit;
    let (ids, viewers) = (ids.clone(), viewers.clone());
    let limiter = RateLimiter::new(
        Scope::ViewerRead,
        limits.into(),
        redis::connect_lazy(&settings.redis.url)?,
        &settings.redis.key_prefix,
    );
    Ok(limiter.counting_sessions(limits.session_ceiling, move |request| {
        routes::counted_session(request, &ids, &viewers)
    }))
}

/// Records that wait for Kafka are as durable as those in it.
fn outbox_check(status: impl Fn() -> OutboxStatus + Send + Sync + 'static) -> Check {
    Check::informative("stream_token_outbox", move || {
        let OutboxStatus { leads, waiting, problem } = status();
        let stuck = problem.is_some();
        async move { Ok(json!({ "leads": leads, "waiting": waiting, "stuck": stuck })) }
    })
}

/// While MySQL is away, the catalog is served as it was. One that no longer follows for another reason
/// would be served for ever as it was: another process may do better.
fn catalog_check(catalog: &Arc<Catalog>, following: watch::Receiver<Following>) -> Check {
    let catalog = Arc::clone(catalog);
    Check::required("catalog", move || {
        let stopped = match (following.has_changed(), *following.borrow()) {
            (Err(_), _) => Some("is no longer followed"),
            (Ok(_), Following::Stuck) => Some("cannot follow its read models"),
            (Ok(_), Following::Well | Following::Away) => None,
        };
        let shown = catalog
            .snapshot()
            .as_ref()
            .map(|snapshot| json!({ "movies": snapshot.len(), "position": snapshot.position() }));
        async move {
            let shown = shown.ok_or_else(|| "has not been read yet".to_owned())?;
            stopped.map_or(Ok(shown), |why| Err(why.to_owned()))
        }
    })
}

/// Without Redis, limits are local and tokens stateless.
fn redis_check(redis: ::redis::aio::ConnectionManager) -> Check {
    Check::informative("redis", move || {
        let mut redis = redis.clone();
        async move {
            ::redis::cmd("PING")
                .query_async::<String>(&mut redis)
                .await
                .map(Into::into)
                .map_err(|_| "does not answer".to_owned())
        }
    })
}

/// Whichever service starts first makes the topics.
async fn make_topics(kafka: ClientSettings, topics: Topics, settings: TopicSettings) {
    let mut failing = false;
    while let Err(error) = ensure_topics(&kafka, &topics, &settings).await {
        if !failing {
            failing = true;
            tracing::warn!(%error, "the topics cannot be made yet");
        }
        tokio::time::sleep(TOPICS_RETRY).await;
    }
}
