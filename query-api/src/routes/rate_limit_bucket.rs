//! `/v1/rate-limits/{scope}/{bucket_key}`: how much of a quota is used, and giving it back. For
//! `ops:read`, and for the buckets of both APIs: they are in one Redis.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{CACHE_CONTROL, HeaderValue},
    },
    web,
};
use chrono::SecondsFormat;
use marquee_infra::{
    http::{
        CommonProblems, FieldError, MaybePrincipal, Principal, Problem, ProblemBody, ProblemCode,
        Scope,
    },
    rate_limit::{self, BucketKey, BucketState, Buckets, RateLimiter},
};
use redis::RedisError;
use serde::Serialize;
use utoipa::ToSchema;

use super::{parameters::Parameters, require};

/// How much of a quota is used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) struct RateLimitBucket {
    #[schema(value_type = RateLimitScope)]
    scope: &'static str,
    /// `user:UUID`, `session:UUID`, `ip:ADDRESS`, or `ip-sessions:ADDRESS`: all sessions of that address together. A network
    /// of IPv6 is one address.
    #[schema(example = "ip:203.0.113.7")]
    bucket_key: String,
    /// Requests that count now. What other processes have taken of the quota and not spent yet is among them.
    hits: u32,
    /// Where those that count begin; null when none does.
    #[schema(format = DateTime, required = true)]
    window_start: Option<String>,
    /// The quota; null when none counts and the scope is another service's.
    #[schema(required = true)]
    limit: Option<u32>,
    #[schema(required = true)]
    window_seconds: Option<u64>,
    #[schema(required = true)]
    remaining: Option<u32>,
    /// When the oldest no longer count; null when none does.
    #[schema(format = DateTime, required = true)]
    refills_at: Option<String>,
}

#[derive(Debug, ToSchema)]
#[schema(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "documentation")]
pub(super) enum RateLimitScope {
    ViewerRead,
    AdminMutation,
}

pub(super) async fn rate_limit_bucket(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    buckets: web::Data<Buckets>,
    limiter: web::Data<RateLimiter>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::OpsRead)?;
    Parameters::of(request.query_string()).finish()?;
    let (scope, key) = parse(&path.0, &path.1)?;
    if request.method() == Method::DELETE {
        reset(&buckets, &limiter, scope, key, principal.0.as_ref()).await
    } else {
        look(&buckets, &limiter, scope, key).await
    }
}

/// How much of a quota is used
///
/// Of any user, viewing session or address; one that has not been counted lately has used nothing.
#[utoipa::path(
    get, operation_id = "get_rate_limit_bucket", path = "/v1/rate-limits/{scope}/{bucket_key}", tag = "operations",
    params(
        ("scope" = RateLimitScope, Path, description = "Whose requests: viewers' reads, or admins' commands", example = "VIEWER_READ"),
        ("bucket_key" = String, Path, description = "`user:UUID`, `session:UUID`, `ip:ADDRESS` or `ip-sessions:ADDRESS`, as the log shows it; or a user's UUID or an address alone"),
    ),
    responses(
        (status = 200, description = "As it is now", body = RateLimitBucket),
        (status = 403, description = "insufficient_scope: ops:read is needed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security(("bearer" = ["ops:read"])),
)]
async fn look(
    buckets: &Buckets,
    limiter: &RateLimiter,
    scope: rate_limit::Scope,
    key: BucketKey,
) -> Result<HttpResponse, Problem> {
    let state = buckets.look(scope, &key).await.map_err(away)?;
    let bucket = RateLimitBucket::new(scope, &key, state, limiter);
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(bucket))
}

/// Give a quota back
///
/// From now on nothing has been used. Where requests are being refused, they are admitted within a second; what
/// processes had taken of the quota and not spent, a twentieth of it at most, comes besides it for five seconds.
#[utoipa::path(
    delete, operation_id = "reset_rate_limit_bucket", path = "/v1/rate-limits/{scope}/{bucket_key}", tag = "operations",
    params(
        ("scope" = RateLimitScope, Path, description = "Whose requests: viewers' reads, or admins' commands", example = "VIEWER_READ"),
        ("bucket_key" = String, Path, description = "`user:UUID`, `session:UUID`, `ip:ADDRESS` or `ip-sessions:ADDRESS`, as the log shows it; or a user's UUID or an address alone"),
    ),
    responses(
        (status = 204, description = "The whole quota is free, whatever was used of it"),
        (status = 403, description = "insufficient_scope: ops:read is needed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security(("bearer" = ["ops:read"])),
)]
async fn reset(
    buckets: &Buckets,
    limiter: &RateLimiter,
    scope: rate_limit::Scope,
    key: BucketKey,
    principal: Option<&Principal>,
) -> Result<HttpResponse, Problem> {
    buckets.reset(scope, &key).await.map_err(away)?;
    if scope == limiter.scope() {
        limiter.forget(&key);
    }
    let user = principal.map(Principal::user_id).map(tracing::field::display);
    tracing::info!(scope = scope.as_str(), bucket_key = %key, user, "rate limit reset");
    Ok(HttpResponse::NoContent().finish())
}

fn parse(scope: &str, key: &str) -> Result<(rate_limit::Scope, BucketKey), Problem> {
    let (scope, key) = (scope.parse::<rate_limit::Scope>(), key.parse::<BucketKey>());
    if let (Ok(scope), Ok(key)) = (scope, key) {
        return Ok((scope, key));
    }
    let error = |pointer: &str, detail: String| FieldError { pointer: pointer.to_owned(), detail };
    let errors = scope
        .err()
        .map(|wrong| error("scope", wrong.to_string()))
        .into_iter()
        .chain(key.err().map(|wrong| error("bucket_key", wrong.to_string())));
    Err(Problem::new(
        ProblemCode::InvalidRequest,
        "see errors for what is not valid in the address",
    )
    .with_errors(errors.collect()))
}

fn away(error: RedisError) -> Problem {
    Problem::unavailable("the buckets cannot be reached: each process limits by itself", 1, error)
}

impl RateLimitBucket {
    fn new(
        scope: rate_limit::Scope,
        key: &BucketKey,
        state: Option<BucketState>,
        limiter: &RateLimiter,
    ) -> Self {
        let instant = |instant: chrono::DateTime<chrono::Utc>| {
            instant.to_rfc3339_opts(SecondsFormat::Millis, true)
        };
        let own_unspent = if scope == limiter.scope() { limiter.unspent(key) } else { 0 };
        let hits = state.map_or(0, |state| state.hits.saturating_sub(own_unspent));
        // What counts says by itself what its quota is.
        let own = (scope == limiter.scope()).then(|| limiter.quota_of(key));
        let limit = state.map(|state| state.limit).or(own.map(|own| own.requests.get()));
        let window = state.map(|state| state.window).or(own.map(|own| own.window));
        Self {
            scope: scope.as_str(),
            bucket_key: key.to_string(),
            hits,
            window_start: state.map(|state| instant(state.window_start)),
            limit,
            window_seconds: window.map(|window| window.as_secs()),
            remaining: limit.map(|limit| limit.saturating_sub(hits)),
            refills_at: state.map(|state| instant(state.refills_at)),
        }
    }
}
