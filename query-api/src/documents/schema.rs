//! How OpenAPI describes the domain's values, which know nothing of it.

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "documentation: the domain has the real one")]
pub enum Visibility {
    Visible,
    Hidden,
}

/// What the last look at the file found. A primary source that is INVALID is not played.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "documentation: the domain has the real one")]
pub enum ValidationStatus {
    Valid,
    Invalid,
    Unknown,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(dead_code, reason = "documentation: the domain has the real one")]
pub enum CaptionFormat {
    #[serde(rename = "WEBVTT")]
    WebVtt,
    #[serde(rename = "TTML")]
    Ttml,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(dead_code, reason = "documentation: the domain has the real one")]
pub enum Encryption {
    #[serde(rename = "CLEAR")]
    Clear,
    #[serde(rename = "AES_128")]
    Aes128,
    #[serde(rename = "DRM")]
    Drm,
}

/// What was read of a caption file when it was last looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProbedCaption {
    content_sha256: String,
    cue_count: u32,
}
