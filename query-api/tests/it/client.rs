//! A small HTTP client with what the tests look at.

use std::sync::Once;

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};

use crate::bed::JWT_SECRET;

pub struct Client {
    http: reqwest::Client,
    base: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// Null when the body is not JSON.
    pub json: Value,
}

impl Client {
    pub fn new(base: String) -> Self {
        static PROVIDER: Once = Once::new();
        // reqwest wants a TLS provider even where no TLS is spoken.
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        Self { http: reqwest::Client::builder().no_proxy().build().expect("a client"), base }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await
    }

    pub async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = self
            .request(Method::POST, path)
            .header("Content-Type", "application/json")
            .body(body.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await
    }
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the service answers");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.text().await.expect("the body arrives");
        let json = serde_json::from_str(&body).unwrap_or(Value::Null);
        Self { status, headers, body, json }
    }

    pub fn header(&self, name: &str) -> &str {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// `status` with a problem of this code.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.json["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(!self.json["request_id"].as_str().unwrap_or_default().is_empty(), "{self:?}");
        self
    }

    /// What was wrong with which parameters, in order.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().expect("there are errors");
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// The titles of a list, in order.
    pub fn titles(&self) -> Vec<&str> {
        let items = self.json["items"].as_array().expect("there are items");
        items.iter().filter_map(|item| item["title"].as_str()).collect()
    }
}

/// `Bearer` and a token of this user with these scopes.
pub fn bearer(user_id: &str, scope: &str) -> String {
    bearer_until(user_id, scope, 600)
}

/// The same, expiring in so many seconds.
pub fn bearer_until(user_id: &str, scope: &str, seconds: i64) -> String {
    let expires = marquee_infra::clock::now().timestamp() + seconds;
    let claims = json!({ "sub": user_id, "scope": scope, "aud": "marquee", "exp": expires });
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    format!("Bearer {}", encode(&Header::default(), &claims, &key).expect("a token"))
}
