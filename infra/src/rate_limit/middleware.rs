//! The limiter in front of HTTP routes, and its headers (draft-ietf-httpapi-ratelimit-headers).

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};

use super::{BucketKey, RateLimiter, TrustedProxies, Verdict};
use crate::http::{MaybePrincipal, Problem, ProblemCode};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Wraps the routes of one scope: `web::scope("/v1").wrap(from_fn(enforce))`. Needs a
/// [`RateLimiter`] and [`TrustedProxies`] in the application's data.
pub async fn enforce<B: MessageBody + 'static>(
    limiter: web::Data<RateLimiter>,
    trusted: web::Data<TrustedProxies>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    if !limiter.is_enabled() {
        return next.call(request).await.map(ServiceResponse::map_into_left_body);
    }
    let key = identify(&mut request, &trusted).await;
    match limiter.check(&key).await {
        Verdict::Admitted { remaining, resets_after } => {
            let mut response = next.call(request).await?.map_into_left_body();
            describe(response.headers_mut(), &limiter, remaining, resets_after);
            Ok(response)
        }
        Verdict::Refused { retry_after } => {
            let refusal = refusal(&limiter, retry_after);
            // Not as an Err: what wraps this adds the request's id and logs it like any response.
            Ok(request.error_response(refusal).map_into_right_body())
        }
    }
}

/// The user if there is a valid token, else the client's address. A bad token is counted by its
/// sender's address, and refused by the route.
async fn identify(request: &mut ServiceRequest, trusted: &TrustedProxies) -> BucketKey {
    if let Ok(MaybePrincipal(Some(principal))) = request.extract::<MaybePrincipal>().await {
        return BucketKey::User(principal.user_id().uuid());
    }
    // There is no peer only where there is no connection: in tests of handlers.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
    BucketKey::client(trusted.client(peer, request.headers()))
}

fn describe(headers: &mut HeaderMap, limiter: &RateLimiter, remaining: u32, resets: Duration) {
    headers.insert(POLICY, limiter.policy_header().clone());
    if let Some(state) = state(limiter, remaining, resets) {
        headers.insert(STATE, state);
    }
}

fn refusal(limiter: &RateLimiter, retry_after: Duration) -> Problem {
    let seconds = u32::try_from(whole_seconds(retry_after)).unwrap_or(u32::MAX);
    let quota = limiter.quota();
    let problem = Problem::new(
        ProblemCode::QuotaExceeded,
        format!("{} requests in {} s are allowed", quota.requests, quota.window.as_secs()),
    )
    .with_retry_after(seconds)
    .with("violated-policies", vec![limiter.scope().policy()])
    .with_header(POLICY, limiter.policy_header().clone());
    match state(limiter, 0, retry_after) {
        Some(state) => problem.with_header(STATE, state),
        None => problem,
    }
}

/// `"viewer-read";r=599;t=60`
fn state(limiter: &RateLimiter, remaining: u32, resets: Duration) -> Option<HeaderValue> {
    let mut text = String::with_capacity(48);
    write!(text, "\"{}\";r={remaining};t={}", limiter.scope().policy(), whole_seconds(resets))
        .ok()?;
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

/// Rounded up: a client that waits as long as it was told is not too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
