//! A movie's genres.

use serde::{Deserialize, Serialize};

use super::{ValueError, text::bounded};

/// 1 to 20 genres of at most 50 characters, in the order given, each once (case ignored).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Genres(Vec<String>);

impl Genres {
    pub const MAX_ENTRIES: usize = 20;
    pub const MAX_CHARS: usize = 50;

    pub fn parse<S: AsRef<str>>(genres: &[S]) -> Result<Self, ValueError> {
        if genres.is_empty() {
            return Err(ValueError::NoEntries);
        }
        if genres.len() > Self::MAX_ENTRIES {
            return Err(ValueError::TooManyEntries {
                max: Self::MAX_ENTRIES,
                actual: genres.len(),
            });
        }
        let mut seen = Vec::<String>::with_capacity(genres.len());
        for genre in genres {
            let genre = bounded(genre.as_ref(), Self::MAX_CHARS, |_| false)?;
            if !seen.iter().any(|known| known.to_lowercase() == genre.to_lowercase()) {
                seen.push(genre);
            }
        }
        Ok(Self(seen))
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}
