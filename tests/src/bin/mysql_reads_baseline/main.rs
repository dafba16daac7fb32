//! What the benchmark compares catalog reads with: the same documents, asked of MySQL with every request.
//!
//! The same HTTP server, middleware, logging and allocator as query-api, on the same tables. It limits no rates, and
//! answers neither searches nor conditional requests.

mod documents;

use actix_web::{HttpResponse, web};
use clap::Parser;
use documents::{Movie, Page};
use marquee_infra::{
    clock,
    http::{Health, HttpSettings, Problem, bind, serve, shutdown_signal},
    mysql,
    telemetry::{self, LogFormat, LogSettings},
};
use secrecy::SecretString;
use serde::Deserialize;
use sqlx::MySqlPool;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The catalog, from MySQL each time, for the benchmark to compare with.
#[derive(Parser)]
struct Arguments {
    #[arg(long, env = "MARQUEE_HTTP_BIND")]
    bind: String,
    /// Threads that serve requests; 0 for one per core.
    #[arg(long, env = "MARQUEE_HTTP_WORKERS", default_value_t = 0)]
    workers: usize,
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: SecretString,
    #[arg(long, env = "MARQUEE_MYSQL_MAX_CONNECTIONS", default_value_t = 16)]
    max_connections: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let telemetry =
        telemetry::init(&LogSettings { filter: "info".into(), format: LogFormat::Json })?;
    let pool =
        web::Data::new(mysql::connect_lazy(&arguments.database_url, arguments.max_connections)?);
    let settings =
        HttpSettings { bind: arguments.bind, workers: arguments.workers, shutdown_seconds: 5 };
    let health = Health::new(vec![], Some(telemetry.metrics));
    let listener = bind(&settings)?;
    let address = listener.local_addr()?;
    let server = serve(listener, &settings, health, move |config| {
        config
            .app_data(pool.clone())
            .route("/v1/movies", web::get().to(list_movies))
            .route("/v1/movies/{slug}", web::get().to(get_movie));
    })?;
    let handle = server.handle();
    let server = tokio::spawn(server);
    tracing::info!(%address, "mysql_reads_baseline serves");
    shutdown_signal().await?;
    handle.stop(true).await;
    server.await??;
    Ok(())
}

#[derive(Deserialize)]
struct ListParameters {
    limit: u32,
}

async fn list_movies(
    pool: web::Data<MySqlPool>,
    parameters: web::Query<ListParameters>,
) -> Result<HttpResponse, Problem> {
    let page = Page::read(&pool, clock::now(), parameters.limit).await;
    Ok(HttpResponse::Ok().json(page.map_err(Problem::internal)?))
}

async fn get_movie(
    pool: web::Data<MySqlPool>,
    slug: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let movie = Movie::read(&pool, clock::now(), &slug).await.map_err(Problem::internal)?;
    Ok(movie.map_or_else(|| HttpResponse::NotFound().finish(), |it| HttpResponse::Ok().json(it)))
}
