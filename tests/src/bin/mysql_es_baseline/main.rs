//! What the benchmark compares with: `POST /v1/movies` as cqrs-es and mysql-es offer it, alone or with an outbox.
//!
//! The same HTTP server, middleware, logging, authentication, body reader, values, aggregate and
//! allocator as command-api. It keeps neither titles nor slugs unique, numbers no events across
//! movies and limits no rates. With an outbox it publishes: by polling, or somebody else does.

mod body;
mod cqrs;
mod outbox;
mod publisher;

use std::{collections::HashMap, time::Duration};

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header::{ETAG, LOCATION},
    web,
};
use anyhow::Context as _;
use clap::Parser;
use cqrs::Cqrs;
use futures::{
    FutureExt,
    future::{BoxFuture, pending},
};
use marquee_domain::{Context, MovieCommand, MovieId, UserId};
use marquee_infra::{
    clock,
    http::{
        AuthSettings, Authenticator, Health, HttpSettings, Principal, Problem, RequestId, Scope,
        bind, read_body, read_json, serve, shutdown_signal,
    },
    mysql,
    telemetry::{self, LogFormat, LogSettings},
};
use publisher::Publisher;
use secrecy::SecretString;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The table of mysql-es's `db/init.sql`, with its names and types.
const EVENTS_TABLE: &str = "CREATE TABLE IF NOT EXISTS events (
    aggregate_type VARCHAR(255) NOT NULL,
    aggregate_id   VARCHAR(255) NOT NULL,
    sequence       BIGINT CHECK (sequence >= 0) NOT NULL,
    event_type     TEXT NOT NULL,
    event_version  TEXT NOT NULL,
    payload        JSON NOT NULL,
    metadata       JSON NOT NULL,
    CONSTRAINT events_pk PRIMARY KEY (aggregate_type, aggregate_id, sequence)
)";

/// A plain cqrs-es and mysql-es server, for the benchmark to compare with.
#[derive(Parser)]
struct Arguments {
    #[arg(long, env = "MARQUEE_HTTP_BIND")]
    bind: String,
    /// Threads that serve requests; 0 for one per core.
    #[arg(long, env = "MARQUEE_HTTP_WORKERS", default_value_t = 0)]
    workers: usize,
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: SecretString,
    #[arg(long, env = "MARQUEE_JWT_HS256_SECRET", hide_env_values = true)]
    jwt_secret: SecretString,
    #[arg(long, env = "MARQUEE_MYSQL_MAX_CONNECTIONS", default_value_t = 32)]
    max_connections: u32,
    /// Writes every event into an outbox as well, in the same transaction.
    #[arg(long, env = "BASELINE_OUTBOX")]
    outbox: bool,
    /// Publishes the outbox to this topic.
    #[arg(long, env = "BASELINE_TOPIC", requires = "outbox", requires = "brokers")]
    topic: Option<String>,
    #[arg(long, env = "KAFKA_BROKERS")]
    brokers: Option<String>,
    /// How often the outbox is looked at for that.
    #[arg(long, env = "BASELINE_POLL_MS", default_value_t = 100)]
    poll_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let telemetry =
        telemetry::init(&LogSettings { filter: "info".into(), format: LogFormat::Json })?;
    let pool = mysql::connect_lazy(&arguments.database_url, arguments.max_connections)?;
    sqlx::query(EVENTS_TABLE).execute(&pool).await.context("creating the events table")?;

    // cqrs-es has one set of services for all commands, so all have one time and one actor.
    let context = Context { now: clock::now(), actor: UserId::new(clock::new_uuid()) };
    let cqrs = if arguments.outbox {
        sqlx::query(outbox::TABLE).execute(&pool).await.context("creating the outbox")?;
        Cqrs::with_outbox(pool.clone(), context)
    } else {
        Cqrs::plain(pool, context)
    };
    let cqrs = web::Data::new(cqrs);
    let mut publishing: BoxFuture<'_, anyhow::Result<()>> =
        match (arguments.topic, arguments.brokers) {
            (Some(topic), Some(brokers)) => {
                let interval = Duration::from_millis(arguments.poll_ms);
                // Of its own: it would wait behind the commands for one.
                let pool = mysql::connect_lazy(&arguments.database_url, 1)?;
                Publisher::new(pool, &brokers, topic, interval)?.run().boxed()
            }
            _ => pending().boxed(),
        };
    let authenticator = web::Data::new(Authenticator::new(&AuthSettings {
        hs256_secret: arguments.jwt_secret,
        jwks_file: String::new(),
        audience: String::new(),
    })?);

    let settings =
        HttpSettings { bind: arguments.bind, workers: arguments.workers, shutdown_seconds: 5 };
    let health = Health::new(vec![], Some(telemetry.metrics));
    let listener = bind(&settings)?;
    let address = listener.local_addr()?;
    let server = serve(listener, &settings, health, move |config| {
        config
            .app_data(cqrs.clone())
            .app_data(authenticator.clone())
            .route("/v1/movies", web::post().to(create_movie));
    })?;
    let handle = server.handle();
    let server = tokio::spawn(server);
    tracing::info!(%address, "mysql_es_baseline serves");
    tokio::select! {
        signalled = shutdown_signal() => signalled?,
        stopped = &mut publishing => stopped?,
    }
    handle.stop(true).await;
    server.await??;
    Ok(())
}

async fn create_movie(
    cqrs: web::Data<Cqrs>,
    http: HttpRequest,
    principal: Principal,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    principal.require(Scope::CatalogWrite)?;
    let body = read_body(payload).await?;
    let request_id = http.extensions().get::<RequestId>().map(ToString::to_string);
    let movie_id = MovieId::new(clock::new_uuid());
    let movie = body::movie_to_create(read_json(&http, &body)?, movie_id)?;
    let slug = movie.slug.clone();
    let metadata = HashMap::from([
        ("command".to_owned(), "CreateMovie".to_owned()),
        ("actor".to_owned(), principal.user_id().to_string()),
        ("request_id".to_owned(), request_id.unwrap_or_default()),
    ]);
    let command = MovieCommand::Create(Box::new(movie));
    cqrs.execute(&movie_id.to_string(), command, metadata).await.map_err(Problem::internal)?;
    Ok(HttpResponse::Created()
        .insert_header((ETAG, "\"1\""))
        .insert_header((LOCATION, format!("/v1/movies/{movie_id}")))
        .json(json!({ "movie_id": movie_id, "slug": slug, "version": 1 })))
}
