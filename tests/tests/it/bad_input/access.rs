//! Who may not do what.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use marquee_tests::{Marquee, client::Api, jwt, samples};
use serde_json::{Value, json};

/// All the ways not to be let in; the body would be all right.
#[tokio::test]
async fn who_is_not_allowed_to_is_told_so() {
    let marquee = Marquee::shared().await;
    let body = samples::movie(&samples::title("Forbidden"));
    let commands = marquee.commands();
    let post = |api: Api| async move { api.post("/v1/movies") };
    let claims = jwt::claims(jwt::ADMIN, "catalog:write");
    let changed = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        claims
    };
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let unsigned = |alg: &str| {
        format!("{}.{}.", encode(&json!({ "alg": alg, "typ": "JWT" })), encode(&claims))
    };
    let good = jwt::signed(&claims);
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let swapped = format!(
        "{}.{}.{signature}",
        head.split('.').next().unwrap_or_default(),
        encode(&changed("scope", json!("catalog:write ops:read")))
    );

    for token in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        unsigned("none"),
        unsigned("None"),
        unsigned("HS256"),
        swapped,
        head.to_owned(),
        jwt::signed_with(&claims, "another secret, also of more than 32 bytes"),
        jwt::signed(&changed("exp", json!(1_000_000_000))),
        jwt::signed(&changed("exp", Value::Null)),
        jwt::signed(&changed("nbf", json!(99_999_999_999_u64))),
        jwt::signed(&changed("sub", json!("root"))),
    ] {
        let answer = post(commands.as_bearer(&token)).await.json(&body).send().await;
        answer.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
    }
    post(commands.anonymous()).await.json(&body).send().await.problem(401, "unauthenticated");
    let basic = post(commands.anonymous()).await.header("Authorization", "Basic YTpi");
    basic.json(&body).send().await.problem(401, "unauthenticated");
    for scope in ["", "catalog:read", "catalog:writer", "CATALOG:WRITE"] {
        let answer =
            post(commands.as_bearer(jwt::with_scope(scope))).await.json(&body).send().await;
        answer.problem(403, "insufficient_scope");
    }
    let _ = post(commands.as_bearer(good)).await.json(&body).send().await.expect(201);
}
