//! What the OpenAPI descriptions of the services share, and how they are served.

use actix_web::web::{self, ServiceConfig};
use serde::Serialize;
use utoipa::{
    IntoResponses, Modify, ToSchema,
    openapi::{
        OpenApi,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_swagger_ui::SwaggerUi;

use super::FieldError;

/// `/openapi.json`, and Swagger UI at `/docs/` (its assets are compiled in).
pub fn configure_openapi(config: &mut ServiceConfig, description: OpenApi) {
    config
        .service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", description));
}

/// A problem (RFC 9457). Some kinds have further members: see the page that `type` leads to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/errors/validation_failed", "title": "Some fields are not valid", "status": 422,
    "detail": "see errors for every field that is not valid", "code": "validation_failed",
    "request_id": "0197f3c2-6d1e-7a41-9d4b-2f6a1c0b7e11",
    "errors": [{ "pointer": "/duration_minutes", "detail": "must be a whole number from 1 to 10000" }]
}))]
pub struct ProblemBody {
    /// `/errors/{code}`: a page that the service serves.
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// What is wrong this time, for people.
    pub detail: String,
    /// The kind of problem, for programs.
    pub code: String,
    pub request_id: String,
    /// Every field that is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
}

/// The problems that any request may meet.
#[derive(Debug, IntoResponses)]
pub enum CommonProblems {
    /// A header, path or query parameter is not valid.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] ProblemBody),
    /// The access token is not valid.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] ProblemBody),
    /// Too many requests; see `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(#[to_schema] ProblemBody),
    /// Something the service needs is away; see `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] ProblemBody),
}

/// Adds the bearer token to a description.
#[derive(Debug)]
pub struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, description: &mut OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".to_owned());
        scheme.description = Some(
            "`sub` is the user's UUID; `scope` has catalog:write, catalog:read, events:read, ops:read."
                .to_owned(),
        );
        description
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}
