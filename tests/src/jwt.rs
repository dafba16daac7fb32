//! Access tokens, as an identity provider would issue them.

use jsonwebtoken::{EncodingKey, Header, encode};
use marquee_infra::clock;
use serde_json::{Value, json};

use crate::servers::servers;

/// The user that tests act as, when it does not matter who it is.
pub const ADMIN: &str = "0198a000-0000-7000-8000-000000000001";

pub fn admin() -> String {
    with_scope("catalog:write catalog:read")
}

pub fn with_scope(scope: &str) -> String {
    signed(&claims(ADMIN, scope))
}

pub fn claims(subject: &str, scope: &str) -> Value {
    let now = clock::now().timestamp();
    json!({ "sub": subject, "scope": scope, "aud": "marquee", "iat": now, "exp": now + 3600 })
}

pub fn signed(claims: &Value) -> String {
    signed_with(claims, &servers().jwt_secret)
}

pub fn signed_with(claims: &Value, secret: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .expect("claims are JSON")
}
