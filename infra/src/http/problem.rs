//! Errors as RFC 9457 problem details.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, RETRY_AFTER},
    },
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::ProblemCode;

/// What the client is told. What the log is told is another matter: `with_cause`.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

/// Boxed, so that a `Result` that hardly ever is an error stays small.
#[derive(Debug)]
struct Parts {
    code: ProblemCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
}

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body, or the name of a parameter.
    pub pointer: String,
    pub detail: String,
}

impl Problem {
    pub fn new(code: ProblemCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extensions: Map::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// A dependency is down: 503, to be tried again after `retry_after_seconds`.
    pub fn unavailable(
        what: &'static str,
        retry_after_seconds: u32,
        cause: impl fmt::Display,
    ) -> Self {
        Self::new(ProblemCode::Unavailable, what)
            .with_retry_after(retry_after_seconds)
            .with_cause(cause)
    }

    /// A bug of ours: the client is told nothing but the request's id.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::new(ProblemCode::Internal, "please report the request_id").with_cause(cause)
    }

    /// All the field errors of a body at once.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(
            ProblemCode::ValidationFailed,
            "see errors for every field that is not valid",
        );
        problem.0.errors = errors;
        problem
    }

    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// An extension member (RFC 9457 section 3.2).
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.extensions.insert(member.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// For the log only.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    pub fn code(&self) -> ProblemCode {
        self.0.code
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The problem as JSON, for bodies that hold several (the import's lines).
    pub fn to_json(&self, request_id: &str) -> Value {
        let mut body = json!({
            "type": format!("/errors/{}", self.0.code.as_str()),
            "title": self.0.code.title(),
            "status": self.0.code.status().as_u16(),
            "detail": self.0.detail,
            "code": self.0.code.as_str(),
            "request_id": request_id,
        });
        if let Value::Object(members) = &mut body {
            if !self.0.errors.is_empty() {
                members.insert("errors".to_owned(), json!(self.0.errors));
            }
            members.extend(self.0.extensions.clone());
        }
        body
    }

    /// The response, once the request's id is known.
    pub fn to_response(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.0.code.status());
        for (name, value) in &self.0.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response
            .content_type("application/problem+json")
            .insert_header(("Cache-Control", "no-store"))
            .body(self.to_json(request_id).to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    /// `observe` replaces this response by one with the request's id.
    fn error_response(&self) -> HttpResponse {
        self.to_response("")
    }
}
