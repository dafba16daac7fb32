//! What an operator can set of the probes, with limits that suit a feature film.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;
use thiserror::Error;

use super::AllowList;

#[derive(Debug, Clone)]
pub struct ProbeSettings {
    /// Addresses and ports that may be probed though they are not public.
    pub allow: AllowList,
    /// A PEM file of certificate authorities that are trusted beside the system's, but only at
    /// addresses of `allow`.
    pub ca_file: Option<PathBuf>,
    /// A header, name and value, by which an own origin knows its prober. Sent only to hosts all
    /// of whose addresses are in `allow`.
    pub header: Option<(String, SecretString)>,
    /// For one probe as a whole: names, connections, redirects, every playlist.
    pub timeout: Duration,
    /// How long a probe waits for its turn before it is refused as busy.
    pub queue_timeout: Duration,
    pub max_playlist_bytes: usize,
    pub max_caption_bytes: usize,
    /// Distinct variants and renditions of one stream.
    pub max_variants: usize,
    pub max_redirects: usize,
    /// Probes at once in this process.
    pub max_concurrent: usize,
    /// Playlists of one probe fetched at once.
    pub max_concurrent_per_probe: usize,
}

impl Default for ProbeSettings {
    /// Four hours in segments of two seconds are 7,200 entries: 1 MB of playlist where a URI takes
    /// a hundred characters, 3 MB where each carries a signature. Memory is bounded by
    /// `max_concurrent * max_concurrent_per_probe * max_playlist_bytes`.
    fn default() -> Self {
        Self {
            allow: AllowList::default(),
            ca_file: None,
            header: None,
            timeout: Duration::from_secs(10),
            queue_timeout: Duration::from_secs(5),
            max_playlist_bytes: 4 << 20,
            max_caption_bytes: 2 << 20,
            max_variants: 64,
            max_redirects: 3,
            max_concurrent: 8,
            max_concurrent_per_probe: 2,
        }
    }
}

/// Why a prober cannot be set up. For operators, at start.
#[derive(Debug, Error)]
pub enum ProbeSetupError {
    #[error("no certificate could be read from the probe's CA file {path}", path = path.display())]
    CaFile { path: PathBuf },
    #[error("neither the system nor a CA file has a certificate authority to trust")]
    NoRoots,
    #[error("{name:?} is not a header with a value that can be sent")]
    Header { name: String },
    #[error("a limit of the probes is zero")]
    ZeroLimit,
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
}
