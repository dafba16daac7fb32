//! Signed stream tokens (data model: SignedStreamToken): a few minutes' leave to fetch one movie's
//! playlists and segments from the CDN.

mod audit;
pub mod cdn;
mod issuer;
mod live;
pub mod notices;
pub mod outbox;
mod path;
mod verifier;
mod viewer;

pub use audit::{Audit, AuditError};
pub use cdn::{Cdns, CdnsError, KeysFile, KeysFileError, LiveCdns};
pub use issuer::{IssueError, IssuedToken, Issuer, TokenRequest};
pub use live::LiveTokens;
pub use notices::{Notices, Revoked};
pub use outbox::Outbox;
pub use verifier::{Refusal, verify};
pub use viewer::{BadContextKey, ViewerContext, ViewerContextKey};
