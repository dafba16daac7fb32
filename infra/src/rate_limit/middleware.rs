//! The limiter in front of HTTP routes, and its headers (draft-ietf-httpapi-ratelimit-headers).

use std::net::{IpAddr, Ipv4Addr};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName},
    middleware::Next,
    web,
};

use super::{
    BucketKey, Caller, Decision, RateLimiter, TrustedProxies, Verdict, policy::whole_seconds,
};
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
    let caller = identify(&mut request, &limiter, &trusted).await;
    let decision = limiter.decide(caller).await;
    if let Verdict::Refused { .. } = decision.verdict {
        let refusal = refusal(&decision);
        // Not as an Err: what wraps this adds the request's id and logs it like any response.
        return Ok(request.error_response(refusal).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    describe(response.headers_mut(), &decision);
    Ok(response)
}

/// The user if there is a valid token, else the session that the request is of, else the client's address. A
/// bad token is counted by its sender's session or address, and refused by the route.
async fn identify(
    request: &mut ServiceRequest,
    limiter: &RateLimiter,
    trusted: &TrustedProxies,
) -> Caller {
    if let Ok(MaybePrincipal(Some(principal))) = request.extract::<MaybePrincipal>().await {
        return Caller::One(BucketKey::User(principal.user_id().uuid()));
    }
    // There is no peer only where there is no connection: in tests of handlers.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
    let address = trusted.client(peer, request.headers());
    match limiter.session_of(request) {
        Some(id) => Caller::Session { id, address },
        None => Caller::One(BucketKey::client(address)),
    }
}

fn describe(headers: &mut HeaderMap, decision: &Decision<'_>) {
    headers.insert(POLICY, decision.policies.clone());
    if let Some(state) = decision.state() {
        headers.insert(STATE, state);
    }
}

fn refusal(decision: &Decision<'_>) -> Problem {
    let quota = decision.policy.quota();
    let problem = Problem::new(
        ProblemCode::QuotaExceeded,
        format!("{} requests in {} s are allowed", quota.requests, quota.window.as_secs()),
    )
    .with_retry_after(u32::try_from(whole_seconds(decision.until())).unwrap_or(u32::MAX))
    .with("violated-policies", vec![decision.policy.name()])
    .with_header(POLICY, decision.policies.clone());
    match decision.state() {
        Some(state) => problem.with_header(STATE, state),
        None => problem,
    }
}
