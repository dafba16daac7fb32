//! What comes with every command beside its body.

use std::collections::HashMap;

use marquee_domain::UserId;
use marquee_infra::event_log::IdempotencyKey;

/// Who sends a command, and under which conditions.
#[derive(Debug, Clone)]
pub struct CommandRequest {
    /// For the history: "CreateMovie", "AttachStreamSource", ...
    pub command: &'static str,
    pub actor: UserId,
    pub request_id: String,
    /// W3C Trace Context, passed on with the events.
    pub traceparent: Option<String>,
    /// The key, and a digest of the request that it stands for.
    pub idempotency: Option<(IdempotencyKey, [u8; 32])>,
    pub if_match: IfMatch,
    /// Decide and show, but append nothing.
    pub dry_run: bool,
}

/// RFC 9110 section 13.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    Any,
    /// The movie must be at one of these versions.
    Versions(Vec<u64>),
}

impl IfMatch {
    pub fn accepts(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

impl CommandRequest {
    /// What is stored beside every event of the command.
    pub fn metadata(&self) -> HashMap<String, String> {
        let mut metadata = HashMap::from([
            ("command".to_owned(), self.command.to_owned()),
            ("actor".to_owned(), self.actor.to_string()),
            ("request_id".to_owned(), self.request_id.clone()),
        ]);
        if let Some(traceparent) = &self.traceparent {
            metadata.insert("traceparent".to_owned(), traceparent.clone());
        }
        metadata
    }
}
