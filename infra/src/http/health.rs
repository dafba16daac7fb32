//! `/healthz` (the process lives), `/readyz` (it can do its work), `/metrics` (Prometheus).

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use futures::future::join_all;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Map, Value, json};

use super::server::read;

/// A check that has not answered by then has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type CheckFuture = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// One thing that the service needs in order to work.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    /// Whether the service cannot do its work without it.
    required: bool,
    run: Arc<dyn Fn() -> CheckFuture + Send + Sync>,
}

impl Check {
    /// `run` answers what to show, or why the check failed (neutral: the answer is public).
    pub fn required<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, String>> + Send + 'static,
    {
        Self { name, required: true, run: Arc::new(move || Box::pin(run())) }
    }

    /// Like `required`, but its failure is only shown.
    pub fn informative<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, String>> + Send + 'static,
    {
        Self { required: false, ..Self::required(name, run) }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The three routes of a service.
#[derive(Debug, Clone)]
pub struct Health {
    checks: Arc<[Check]>,
    metrics: Option<PrometheusHandle>,
}

impl Health {
    pub fn new(checks: Vec<Check>, metrics: Option<PrometheusHandle>) -> Self {
        Self { checks: checks.into(), metrics }
    }

    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.clone()))
            .route("/healthz", read().to(healthz))
            .route("/readyz", read().to(readyz))
            .route("/metrics", read().to(metrics));
    }
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}

async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let outcomes = join_all(health.checks.iter().map(|check| async move {
        let outcome = actix_web::rt::time::timeout(CHECK_TIMEOUT, (check.run)())
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()));
        (check, outcome)
    }))
    .await;
    let ready = outcomes.iter().all(|(check, outcome)| outcome.is_ok() || !check.required);
    let checks: Map<String, Value> = outcomes
        .into_iter()
        .map(|(check, outcome)| {
            let (ok, shown) = match outcome {
                Ok(shown) => (true, shown),
                Err(why) => (false, Value::String(why)),
            };
            (check.name.to_owned(), json!({ "ok": ok, "required": check.required, "info": shown }))
        })
        .collect();
    let body = json!({ "status": if ready { "ready" } else { "not ready" }, "checks": checks });
    if ready {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).json(body)
    }
}

async fn metrics(health: web::Data<Health>) -> HttpResponse {
    let text = health.metrics.as_ref().map(|handle| {
        handle.run_upkeep();
        handle.render()
    });
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text.unwrap_or_default())
}
