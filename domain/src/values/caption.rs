//! Caption formats and what was read of a caption file.

use serde::{Deserialize, Serialize};

use super::ValueError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum CaptionFormat {
    /// W3C WebVTT.
    #[serde(rename = "WEBVTT")]
    WebVtt,
    /// W3C TTML (also IMSC, which is a profile of it).
    #[serde(rename = "TTML")]
    Ttml,
}

impl CaptionFormat {
    pub const ALLOWED: &'static str = "WEBVTT, TTML";

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match text {
            "WEBVTT" => Ok(Self::WebVtt),
            "TTML" => Ok(Self::Ttml),
            _ => Err(ValueError::NotOneOf { allowed: Self::ALLOWED }),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebVtt => "WEBVTT",
            Self::Ttml => "TTML",
        }
    }
}

/// What a probe read of a caption file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CaptionFacts {
    /// Lower-case hexadecimal SHA-256 of the bytes that were read.
    pub content_sha256: String,
    pub cue_count: u32,
}
