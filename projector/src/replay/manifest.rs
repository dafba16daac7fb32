//! What a finished file is, for whoever gets it: what is in it, and how to know that it is whole.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    cursor::{Cursor, Tally},
    range::Range,
    request::Request,
    target::{Format, Target},
};

/// Raised when a reader of the older one would misunderstand it.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub manifest_version: u32,
    /// Beside the manifest.
    pub file: String,
    pub format: Format,
    pub bytes: u64,
    pub sha256: String,
    #[serde(flatten)]
    pub tally: Tally,
    pub request: Request,
    /// The positions that were read, and where the log ended then.
    pub range: Range,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub tool: String,
}

impl Manifest {
    pub fn new(
        target: &Target,
        request: Request,
        cursor: Cursor,
        bytes: u64,
        sha256: String,
        finished_at: DateTime<Utc>,
    ) -> Self {
        let name = target.path.file_name().unwrap_or(target.path.as_os_str());
        Self {
            manifest_version: VERSION,
            file: name.to_string_lossy().into_owned(),
            format: target.format,
            bytes,
            sha256,
            tally: cursor.tally,
            request,
            range: cursor.range,
            started_at: cursor.started_at,
            finished_at,
            tool: concat!("marquee projector ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {} bytes, SHA-256 {}", self.file, self.tally, self.bytes, self.sha256)
    }
}
