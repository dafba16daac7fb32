//! The language of a caption track.

use std::fmt;

use isolang::Language;
use serde::{Deserialize, Serialize};

use super::ValueError;

/// An ISO 639-1 code, lower case ("en").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LanguageCode(String);

impl LanguageCode {
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match Language::from_639_1(text) {
            Some(language) => Ok(Self(language.to_639_1().unwrap_or(text).to_owned())),
            None => Err(ValueError::NotALanguage),
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
