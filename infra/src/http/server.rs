//! Running an actix server until it is told to stop.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer, Route,
    dev::Server,
    guard,
    middleware::from_fn,
    web::{self, ServiceConfig},
};
use serde::Deserialize;

use super::{Health, Problem, ProblemCode, error_pages, observe};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port to listen at; port 0 takes a free one.
    pub bind: String,
    /// Threads that serve requests; 0 for one per core.
    pub workers: usize,
    /// How long requests in flight may take to end after SIGTERM, in seconds.
    pub shutdown_seconds: u64,
}

/// How long a client may take to send its headers.
const CLIENT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Listens at once, so that the port is known before the server runs.
pub fn bind(settings: &HttpSettings) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(&settings.bind)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The server of a service with these routes. It stops gracefully through its handle.
pub fn serve<F>(
    listener: TcpListener,
    settings: &HttpSettings,
    health: Health,
    routes: F,
) -> io::Result<Server>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let server = HttpServer::new(move || {
        let health = health.clone();
        App::new()
            .wrap(from_fn(observe))
            // They are tried in this order: what is asked most goes first.
            .configure(routes.clone())
            .configure(move |config| health.configure(config))
            .configure(error_pages::configure)
            .default_service(web::to(not_found))
    })
    .workers(workers)
    .shutdown_timeout(settings.shutdown_seconds)
    .client_request_timeout(CLIENT_REQUEST_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

/// GET, and HEAD wherever GET is (RFC 9110 section 9.3.2).
pub(super) fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemCode::NotFound, "see /docs for what there is"))
}

/// Ends when the process is asked to stop (SIGTERM or SIGINT).
pub async fn shutdown_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
