//! URLs, each with the rules of its field, and the sealed form in which a stream URL is stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::ValueError;

const MAX_CHARS: usize = 2_048;

fn https(text: &str) -> Result<Url, ValueError> {
    let actual = text.chars().count();
    if actual > MAX_CHARS {
        return Err(ValueError::TooLong { max: MAX_CHARS, actual });
    }
    let url = Url::parse(text).map_err(|_| ValueError::NotHttps)?;
    if url.scheme() != "https" || !url.has_host() {
        return Err(ValueError::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ValueError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(ValueError::Fragment);
    }
    Ok(url)
}

/// The HTTPS URL of a poster image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PosterUrl(String);

impl PosterUrl {
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        https(text).map(|url| Self(url.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The HTTPS URL of a caption file. Public: captions are not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct CaptionUrl(String);

impl CaptionUrl {
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        https(text).map(|url| Self(url.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The HTTPS URL of an HLS playlist. Secret: it is neither serialised nor shown; only its sealed
/// form is ever stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamUrl(Url);

impl StreamUrl {
    #[expect(
        clippy::case_sensitive_file_extension_comparisons,
        reason = "a URL's path is case-sensitive, and the data model says \".m3u8\""
    )]
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let url = https(text)?;
        if url.path().ends_with(".m3u8") {
            Ok(Self(url))
        } else {
            Err(ValueError::PathSuffix { suffix: ".m3u8" })
        }
    }

    /// The plain URL, for those who seal it, probe it or sign it. Never log the result.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamUrl(..)")
    }
}

/// A stream URL under AES-256-GCM, as text. Opaque to all but the sealer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SealedUrl(String);

impl SealedUrl {
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
