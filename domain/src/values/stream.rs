//! What is known of a stream beside its URL.

use serde::{Deserialize, Serialize};

use super::ValueError;

/// A label for one rendition, such as "1080p". The data model leaves it open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// How a stream's segments are protected (RFC 8216 section 4.3.2.4). `AES_128` is
/// transport encryption with a key that anyone with the playlist can fetch; only `DRM` is digital
/// rights management.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StreamFacts {
    /// The longest variant. Whole milliseconds: sums and comparisons are exact, and nothing that
    /// keeps numbers as it likes (JavaScript, MySQL's JSON) makes another one of it.
    pub measured_duration_ms: u64,
    /// The shortest variant, where it is not as long as the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest_variant_ms: Option<u64>,
    pub variant_count: u32,
    pub encryption: Encryption,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drm_systems: Vec<String>,
    pub content_sha256: String,
}

impl StreamFacts {
    /// Thirty years. Nothing that a playlist claims makes it longer.
    const MAX_SECONDS: f64 = 1e9;

    pub fn measured_duration_seconds(&self) -> f64 {
        to_seconds(self.measured_duration_ms)
    }

    pub fn shortest_variant_seconds(&self) -> Option<f64> {
        self.shortest_variant_ms.map(to_seconds)
    }

    fn to_milliseconds(seconds: f64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 10^12, and whole"
        )]
        let milliseconds = (seconds.clamp(0.0, Self::MAX_SECONDS) * 1000.0).round() as u64;
        milliseconds
    }
}

/// The number nearest to it, so that it is shown with three decimals at most.
fn to_seconds(milliseconds: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53, which is 285,000 years")]
    let milliseconds = milliseconds as f64;
    milliseconds / 1000.0
}

impl From<&StreamProbe> for StreamFacts {
    fn from(probe: &StreamProbe) -> Self {
        // f64::max and f64::min pass over what is not a number.
        let lengths = || probe.variant_seconds.iter().copied();
        let longest = lengths().fold(0.0, f64::max);
        let shortest = Self::to_milliseconds(lengths().fold(longest, f64::min));
        let longest = Self::to_milliseconds(longest);
        Self {
            measured_duration_ms: longest,
            shortest_variant_ms: (shortest < longest).then_some(shortest),
            variant_count: u32::try_from(probe.variant_seconds.len()).unwrap_or(u32::MAX),
            encryption: probe.encryption,
            drm_systems: probe.drm_systems.clone(),
            content_sha256: probe.content_sha256.clone(),
        }
    }
}
