//! The readable, immutable name of a movie in URLs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Title;

/// Lower-case ASCII letters, digits and single hyphens, at most 100 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// Room is left for the longest suffix that `numbered` can add.
    const MAX_BASE_CHARS: usize = 89;
    /// What a title without any letter or digit becomes ("?", "!!!").
    const FALLBACK: &'static str = "movie";

    /// The first choice for a title: transliterated to ASCII, cut at a word where it is long.
    pub fn from_title(title: &Title) -> Self {
        let mut slug = String::new();
        for word in deunicode::deunicode(title.as_str())
            .to_ascii_lowercase()
            .replace('\'', "")
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            if !slug.is_empty() {
                if slug.len() + 1 + word.len() > Self::MAX_BASE_CHARS {
                    break;
                }
                slug.push('-');
            }
            slug.extend(word.chars().take(Self::MAX_BASE_CHARS));
        }
        if slug.is_empty() {
            slug.push_str(Self::FALLBACK);
        }
        Self(slug)
    }

    /// The `n`th choice when earlier ones are taken: "ben-hur", "ben-hur-2", "ben-hur-3", ...
    #[must_use]
    pub fn numbered(&self, n: u32) -> Self {
        if n <= 1 { self.clone() } else { Self(format!("{}-{n}", self.0)) }
    }

    /// A slug as it stands in a URL or a row; `None` if no title could have made it.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = !text.is_empty()
            && text.len() <= 100
            && text.split('-').all(|word| {
                !word.is_empty()
                    && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            });
        well_formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
