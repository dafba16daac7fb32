//! Signed stream tokens (data model: SignedStreamToken): a few minutes' leave to fetch one movie's
//! playlists and segments from the CDN.

mod audit;
pub mod edge_auth;
mod issuer;
mod keys;
mod live;
mod path;
mod verifier;
mod viewer;

pub use audit::Audit;
pub use issuer::{IssueError, IssuedToken, Issuer, TokenRequest};
pub use keys::{KeyRing, KeyRingError};
pub use live::LiveTokens;
pub use verifier::{Refusal, verify};
pub use viewer::{BadContextKey, ViewerContext, ViewerContextKey};
