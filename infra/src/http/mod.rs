//! What every HTTP endpoint of every service has in common.

mod auth;
mod body;
mod code;
mod consistency;
mod error_pages;
mod fields;
mod health;
mod observe;
mod openapi;
mod problem;
mod server;

pub use auth::{AuthSettings, AuthSetupError, Authenticator, MaybePrincipal, Principal, Scope};
pub use body::{MAX_BODY_BYTES, read_body, read_json};
pub use code::ProblemCode;
pub use consistency::ConsistencyToken;
pub use fields::Fields;
pub use health::{Check, Health};
pub use observe::{Quiet, RequestId, observe};
pub use openapi::{BearerToken, CommonProblems, ProblemBody, configure_openapi};
pub use problem::{FieldError, Problem};
pub use server::{HttpSettings, bind, serve, shutdown_signal};
