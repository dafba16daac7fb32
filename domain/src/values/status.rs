//! The small enums of the data model.

use serde::{Deserialize, Serialize};

use super::ValueError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Visibility {
    Visible,
    Hidden,
}

impl Visibility {
    pub const ALLOWED: &'static str = "VISIBLE, HIDDEN";

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match text {
            "VISIBLE" => Ok(Self::Visible),
            "HIDDEN" => Ok(Self::Hidden),
            _ => Err(ValueError::NotOneOf { allowed: Self::ALLOWED }),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visible => "VISIBLE",
            Self::Hidden => "HIDDEN",
        }
    }
}

/// What the last probe of a URL found. `UNKNOWN` until the first one has an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ValidationStatus {
    Valid,
    Invalid,
    Unknown,
}

impl ValidationStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Invalid => "INVALID",
            Self::Unknown => "UNKNOWN",
        }
    }
}
