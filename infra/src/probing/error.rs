//! Why a probe failed: one variant per rule.
//!
//! The text is for the admin who gave the URL. It names the rule and never repeats what was
//! fetched, an address, or the URL: a probe must not become a way to read the inside of a network.

use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProbeError {
    /// Nothing is known of the URL: this process had no room for another probe in time.
    #[error("too many probes are running; try again later")]
    Busy,

    // -- the guard
    #[error("the URL, or one it leads to, is not https")]
    NotHttps,
    #[error("the URL, or one it leads to, carries a user name or password")]
    UserInfo,
    #[error("a URL in a playlist or redirect is not a URL")]
    BadUrl,
    #[error("the host, or one it leads to, is not at a public address")]
    AddressNotAllowed,
    #[error("the URL, or one it leads to, uses a port other than 443")]
    PortNotAllowed,
    #[error("the host name could not be resolved")]
    NameNotResolved,
    #[error("the host could not be reached, or broke off")]
    Unreachable,
    #[error("the host has no certificate that is trusted for its name")]
    TlsNotTrusted,
    #[error("the host answered with a status other than 200")]
    HttpStatus,
    #[error("there are more than {max} redirects")]
    TooManyRedirects { max: usize },
    #[error("the answer is compressed, though only an identity encoding was asked for")]
    Compressed,
    #[error("the file is larger than {max_bytes} bytes")]
    TooLarge { max_bytes: usize },
    #[error("reading took longer than {max_seconds} seconds")]
    TooSlow { max_seconds: u64 },
    #[error("the file is not UTF-8 text")]
    NotUtf8,

    // -- streams
    #[error("the file is not an HLS playlist")]
    NotAPlaylist,
    #[error("a variant or rendition must be a media playlist, not a multivariant one")]
    NestedMaster,
    #[error("the stream has no variant")]
    NoVariants,
    #[error("the stream has more than {max} variants and renditions")]
    TooManyVariants { max: usize },
    #[error("a media playlist has no segment")]
    NoSegments,
    #[error("a segment has no readable duration (EXTINF)")]
    SegmentWithoutDuration,
    #[error("an encryption key has a method or format that is not known")]
    UnknownEncryption,
    #[error("some playlists of the stream are under DRM and some are not")]
    MixedEncryption,

    // -- captions
    #[error("the file is not WebVTT")]
    NotWebVtt,
    #[error("the file is not TTML, or declares a document type")]
    NotTtml,
    #[error("the file has no timed caption")]
    NoCues,
}

impl ProbeError {
    /// The stable name of the rule, for answers, events and metrics.
    pub const fn rule_id(&self) -> &'static str {
        match self {
            Self::Busy => "prober_busy",
            Self::NotHttps => "not_https",
            Self::UserInfo => "user_info",
            Self::BadUrl => "bad_url",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::PortNotAllowed => "port_not_allowed",
            Self::NameNotResolved => "name_not_resolved",
            Self::Unreachable => "unreachable",
            Self::TlsNotTrusted => "tls_not_trusted",
            Self::HttpStatus => "http_status",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::Compressed => "compressed",
            Self::TooLarge { .. } => "too_large",
            Self::TooSlow { .. } => "too_slow",
            Self::NotUtf8 => "not_utf8",
            Self::NotAPlaylist => "not_a_playlist",
            Self::NestedMaster => "nested_master",
            Self::NoVariants => "no_variants",
            Self::TooManyVariants { .. } => "too_many_variants",
            Self::NoSegments => "no_segments",
            Self::SegmentWithoutDuration => "segment_without_duration",
            Self::UnknownEncryption => "unknown_encryption",
            Self::MixedEncryption => "mixed_encryption",
            Self::NotWebVtt => "not_webvtt",
            Self::NotTtml => "not_ttml",
            Self::NoCues => "no_cues",
        }
    }

    /// Whether this says something about the URL. When it does not (`Busy`), nothing may be
    /// recorded against it: the caller answers 503, a worker tries again later.
    pub const fn is_about_the_url(&self) -> bool {
        !matches!(self, Self::Busy)
    }
}
