//! The title, and the key that makes it unique whatever its case and Unicode form.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{ValueError, text::bounded};

/// A movie's title as its admin wrote it, without surrounding white space. 1 to 255 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Title(String);

impl Title {
    pub const MAX_CHARS: usize = 255;
    /// A few characters expand when they are normalised (U+FDFA to 18): keys have a limit too.
    pub const MAX_KEY_CHARS: usize = 512;

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let title = bounded(text, Self::MAX_CHARS, |_| false).map(Self)?;
        // A title of nothing but invisible characters has an empty key.
        let key_chars = title.key().0.chars().count();
        if key_chars == 0 {
            return Err(ValueError::Empty);
        }
        if key_chars > Self::MAX_KEY_CHARS {
            return Err(ValueError::TooLong { max: Self::MAX_KEY_CHARS, actual: key_chars });
        }
        Ok(title)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn key(&self) -> TitleKey {
        TitleKey::of(&self.0)
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The natural key of a movie (data model: "globally unique, case-insensitive").
///
/// Unicode's compatibility caseless match (NFKC and full case folding, the Unicode Standard
/// section 3.13, D146), without default-ignorable characters, inner white space folded to one space:
/// "Ｄune", "DUNE" and "dune\u{200B}" are one title.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TitleKey(String);

impl TitleKey {
    fn of(title: &str) -> Self {
        let visible = title.nfkc().filter(|c| !is_ignorable(*c));
        let folded: String = caseless::default_case_fold_str(&visible.collect::<String>());
        let normalised: String = folded.nfkc().collect();
        Self(normalised.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that leave no mark on the page, such as soft hyphens, zero-width and directional marks,
/// variation selectors and tags: Unicode's `Default_Ignorable_Code_Point`.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}
