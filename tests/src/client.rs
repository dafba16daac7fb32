//! A client of the HTTP APIs that shows everything an answer has.

use std::{
    fmt,
    sync::LazyLock,
    time::{Duration, Instant},
};

use reqwest::{
    Certificate, Client, Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde_json::Value;

use crate::servers::servers;

/// A client gives up after this: an answer that takes longer is a hang.
const TIMEOUT: Duration = Duration::from_secs(45);

/// An HTTP client that trusts the edge's authority. Its connections belong to the runtime that made them, so that
/// every test has its own.
pub fn http() -> Client {
    static PROVIDER: LazyLock<()> = LazyLock::new(|| {
        // Somebody else's choice would be as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    LazyLock::force(&PROVIDER);
    let pem = std::fs::read(&servers().ca_file).expect("the edge's authority can be read");
    Client::builder()
        .tls_certs_only([Certificate::from_pem(&pem).expect("the authority is PEM")])
        .no_proxy()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("the client's settings fit together")
}

/// One API, and who talks to it.
#[derive(Debug, Clone)]
pub struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

impl Api {
    pub fn new(http: Client, base: impl Into<String>, token: Option<String>) -> Self {
        Self { http, base: base.into(), token }
    }

    /// The same API to somebody else.
    #[must_use]
    pub fn as_bearer(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// `path` may be a whole URL.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let base = if path.starts_with("http") { "" } else { &self.base };
        let url = format!("{base}{path}");
        let shown = format!("{method} {url}");
        let mut builder = self.http.request(method, url);
        if let Some(token) = &self.token {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Request { builder, shown }
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
pub struct Request {
    builder: RequestBuilder,
    shown: String,
}

impl Request {
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let builder = self.builder.header(CONTENT_TYPE, content_type).body(body.into());
        Self { builder, ..self }
    }

    #[must_use]
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self { builder: self.builder.header(name, value.as_ref()), ..self }
    }

    #[must_use]
    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// How long this request may take, if less than any may.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { builder: self.builder.timeout(limit), ..self }
    }

    /// The answer, or that there was none.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let sent = Instant::now();
        let response = self.builder.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?.to_vec();
        Ok(Answer { request: self.shown, status, headers, body, took: sent.elapsed() })
    }

    /// # Panics
    /// When there is no answer.
    pub async fn send(self) -> Answer {
        let shown = self.shown.clone();
        self.try_send().await.unwrap_or_else(|error| panic!("{shown}: no answer: {error:?}"))
    }
}

/// All of a response.
#[derive(Clone)]
pub struct Answer {
    request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub took: Duration,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// # Panics
    /// When the body is not JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A string of the body.
    ///
    /// # Panics
    /// When it is not there.
    #[track_caller]
    pub fn text_of(&self, field: &str) -> String {
        match &self.json()[field] {
            Value::String(text) => text.clone(),
            _ => panic!("{self:?} has no string {field}"),
        }
    }

    /// A number of the body.
    ///
    /// # Panics
    /// When it is not there.
    #[track_caller]
    pub fn number_of(&self, field: &str) -> u64 {
        self.json()[field].as_u64().unwrap_or_else(|| panic!("{self:?} has no number {field}"))
    }

    /// # Panics
    /// When the answer has another status.
    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// An RFC 9457 problem of this status and code, whole.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.whole_problem();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{self:?}");
        body
    }

    /// Any problem, if all of its members are there and agree with the response.
    ///
    /// # Panics
    /// When it is not a problem, or not whole.
    #[track_caller]
    pub fn whole_problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.json();
        let text = |member: &str| match body[member].as_str() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => panic!("{self:?}: no {member}"),
        };
        assert_eq!(text("type"), format!("/errors/{}", text("code")), "{self:?}");
        assert_eq!(body["status"].as_u64(), Some(u64::from(self.status)), "{self:?}");
        assert_eq!(Some(text("request_id").as_str()), self.header("x-request-id"), "{self:?}");
        let _ = (text("title"), text("detail"));
        body
    }

    /// The fields that a problem names, sorted.
    #[track_caller]
    pub fn pointers(&self) -> Vec<String> {
        let body = self.whole_problem();
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let mut pointers: Vec<String> = errors
            .iter()
            .map(|error| {
                assert!(error["detail"].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
                error["pointer"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
            })
            .collect();
        pointers.sort_unstable();
        pointers.dedup();
        pointers
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, status, headers, took, .. } = self;
        let body: String = self.text().chars().take(2_000).collect();
        write!(f, "{request} -> {status} in {took:?}, {headers:?}, {body}")
    }
}
