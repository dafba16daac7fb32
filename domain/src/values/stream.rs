//! What is known of a stream beside its URL.

use serde::{Deserialize, Serialize};

use super::ValueError;

/// A label for one rendition, such as "1080p". The data model leaves it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QualityTag(String);

impl QualityTag {
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=16).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::NotAQualityTag)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a stream's segments are protected (RFC 8216 section 4.3.2.4). `Aes128` is transport
/// encryption with a key anyone with the playlist can fetch; only `Drm` is digital rights management.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Encryption {
    Clear,
    #[serde(rename = "AES_128")]
    Aes128,
    Drm,
}

/// What a probe read of a stream: input to the rules, before they are applied.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamProbe {
    /// The sum of `EXTINF` of each media playlist, in seconds. Never empty.
    pub variant_seconds: Vec<f64>,
    /// Every media playlist has `EXT-X-ENDLIST`: the stream is complete.
    pub ended: bool,
    pub encryption: Encryption,
    /// DRM systems named by the playlists ("WIDEVINE", "FAIRPLAY", "PLAYREADY"), sorted.
    pub drm_systems: Vec<String>,
    /// Lower-case hexadecimal SHA-256 of all playlists read, in the order read.
    pub content_sha256: String,
}

/// What an event records of a probe that the rules accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamFacts {
    /// The longest variant, in seconds, to the millisecond.
    pub measured_duration_seconds: f64,
    /// The shortest variant, where it is not as long as the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest_variant_seconds: Option<f64>,
    pub variant_count: u32,
    pub encryption: Encryption,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drm_systems: Vec<String>,
    pub content_sha256: String,
}

impl StreamFacts {
    /// Nothing that a playlist claims leaves the range in which JSON keeps every millisecond.
    const MAX_SECONDS: f64 = 1e9;

    fn to_the_millisecond(seconds: f64) -> f64 {
        (seconds.clamp(0.0, Self::MAX_SECONDS) * 1000.0).round() / 1000.0
    }
}

impl From<&StreamProbe> for StreamFacts {
    fn from(probe: &StreamProbe) -> Self {
        // f64::max and f64::min pass over what is not a number.
        let lengths = || probe.variant_seconds.iter().copied();
        let longest = Self::to_the_millisecond(lengths().fold(0.0, f64::max));
        let shortest = Self::to_the_millisecond(lengths().fold(longest, f64::min));
        Self {
            measured_duration_seconds: longest,
            shortest_variant_seconds: (shortest < longest).then_some(shortest),
            variant_count: u32::try_from(probe.variant_seconds.len()).unwrap_or(u32::MAX),
            encryption: probe.encryption,
            drm_systems: probe.drm_systems.clone(),
            content_sha256: probe.content_sha256.clone(),
        }
    }
}
