//! One canonical log line and one measurement per request, and an id to find them by.
//!
//! The line's fields are documented in `docs/LOGGING.md`. Never in it: tokens, stream URLs, bodies,
//! query strings.

use std::{cell::RefCell, collections::HashMap, fmt, time::Instant};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    middleware::Next,
};
use metrics::Histogram;
use uuid::Uuid;

use super::{Principal, Problem};
use crate::clock;

/// Identifies a request in logs, errors and events. The client's `X-Request-Id` if it is sane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub const HEADER: &'static str = "x-request-id";

    fn of(request: &ServiceRequest) -> Self {
        let sane = |id: &&HeaderValue| {
            (1..=100).contains(&id.len())
                && id
                    .as_bytes()
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        Self(request.headers().get(Self::HEADER).filter(sane).cloned().unwrap_or_else(new_id))
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("letters, digits, and - _ .")
    }
}

fn new_id() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = clock::new_uuid().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).expect("a UUID is visible ASCII")
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In a request's extensions: its canonical line is at `DEBUG`. For what is asked too often to be news.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

/// Wraps every request: `App::new().wrap(from_fn(observe))`. Outermost.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let started = Instant::now();
    let id = RequestId::of(&request);
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());

    let response = next.call(request).await?;

    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let quiet = response.request().extensions().contains::<Quiet>();
    let user = response.request().extensions().get::<Principal>().map(Principal::user_id);
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    let code = problem.map(|problem| problem.code().as_str());
    let cause = problem.and_then(Problem::cause).map(str::to_owned);
    let replacement = problem.map(|problem| problem.to_response(id.as_str()));
    let mut response = match replacement {
        Some(replacement) => {
            // What inner middleware has added (rate limits) belongs to the problem, too.
            let added: Vec<_> =
                response.headers().iter().map(|(n, v)| (n.clone(), v.clone())).collect();
            let mut response = response.into_response(replacement);
            for (name, value) in added {
                if !response.headers().contains_key(&name) {
                    response.headers_mut().insert(name, value);
                }
            }
            response.map_into_right_body()
        }
        None => response.map_into_left_body(),
    };
    response.headers_mut().insert(HeaderName::from_static(RequestId::HEADER), id.0.clone());

    let status = response.status();
    let elapsed = started.elapsed();
    let (method, route) = (method.as_str(), &*route);
    duration(route, method, status, |histogram| histogram.record(elapsed));
    let duration_ms = elapsed.as_secs_f64() * 1e3;
    let status = status.as_u16();
    let request_id = id.as_str();
    let user = user.map(tracing::field::display);
    // A line's level is fixed where it is written.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                method,
                route,
                status,
                duration_ms,
                request_id,
                user,
                code,
                cause,
                "request"
            )
        };
    }
    if status >= 500 {
        line!(error);
    } else if quiet {
        line!(debug);
    } else {
        line!(info);
    }
    Ok(response)
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Of one route, by method and status.
type Series = Vec<(&'static str, StatusCode, Histogram)>;

thread_local! {
    /// To look a series up by its labels costs several allocations; a service has a few dozen.
    static DURATIONS: RefCell<HashMap<String, Series>> = RefCell::default();
}

fn duration(route: &str, method: &str, status: StatusCode, record: impl FnOnce(&Histogram)) {
    // What a client makes up is no series of its own.
    let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
    DURATIONS.with_borrow_mut(|durations| {
        if !durations.contains_key(route) {
            durations.insert(route.to_owned(), Series::new());
        }
        let Some(series) = durations.get_mut(route) else { return };
        let known = series.iter().position(|(m, s, _)| *m == method && *s == status);
        let index = known.unwrap_or_else(|| {
            let histogram = metrics::histogram!(
                "http_server_request_duration_seconds", "method" => method,
                "route" => route.to_owned(), "status" => status.as_str().to_owned()
            );
            series.push((method, status, histogram));
            series.len() - 1
        });
        record(&series[index].2);
    });
}
