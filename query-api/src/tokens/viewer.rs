//! Who watches, as a keyed hash: the audit and Redis can tell viewers apart, and not who they are.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use marquee_domain::UserId;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

const MIN_KEY_BYTES: usize = 32;

/// Lower-case hexadecimal HMAC-SHA256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerContext(String);

impl ViewerContext {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub struct ViewerContextKey(Hmac<Sha256>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("viewer.context_key must be at least {MIN_KEY_BYTES} bytes, as hexadecimal digits")]
pub struct BadContextKey;

impl ViewerContextKey {
    pub fn parse(setting: &SecretString) -> Result<Self, BadContextKey> {
        let key = hex::decode(setting.expose_secret()).map_err(|_| BadContextKey)?;
        if key.len() < MIN_KEY_BYTES {
            return Err(BadContextKey);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| BadContextKey)
    }

    /// Of a viewer, a session, or a viewer's session.
    pub fn context(&self, viewer: Option<UserId>, session: Option<&str>) -> ViewerContext {
        let mut mac = self.0.clone();
        // A user's id has a fixed length: no viewer with a session is another without.
        match viewer {
            Some(id) => mac.update(format!("viewer:{id};").as_bytes()),
            None => mac.update(b"anonymous;"),
        }
        if let Some(session) = session {
            mac.update(b"session:");
            mac.update(session.as_bytes());
        }
        ViewerContext(hex::encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for ViewerContextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewerContextKey(..)")
    }
}
