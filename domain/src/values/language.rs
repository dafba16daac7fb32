//! The language of a caption track.

use std::fmt;

use isolang::Language;
use serde::{Deserialize, Serialize};

use super::ValueError;

/// An ISO 639-1 code, lower case ("en").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct LanguageCode(String);

impl LanguageCode {
    /// Serbo-Croatian: withdrawn from ISO 639-1 in 2000, though ISO 639-3 still maps to it.
    const WITHDRAWN: &'static str = "sh";

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match Language::from_639_1(text) {
            Some(_) if text != Self::WITHDRAWN => Ok(Self(text.to_owned())),
            _ => Err(ValueError::NotALanguage),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LanguageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
