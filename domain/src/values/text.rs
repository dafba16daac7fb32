//! Free text with limits.

use serde::{Deserialize, Serialize};

use super::ValueError;

/// What a movie is about. 1 to 10,000 characters; line breaks and tabs are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Synopsis(String);

impl Synopsis {
    pub const MAX_CHARS: usize = 10_000;

    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let allowed_control = |c: char| matches!(c, '\n' | '\r' | '\t');
        bounded(text, Self::MAX_CHARS, allowed_control).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `text` without surrounding white space, if it has 1 to `max` characters and no control
/// character except those that `allowed_control` lets through.
pub(super) fn bounded(
    text: &str,
    max: usize,
    allowed_control: impl Fn(char) -> bool,
) -> Result<String, ValueError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    let actual = text.chars().count();
    if actual > max {
        return Err(ValueError::TooLong { max, actual });
    }
    if text.chars().any(|c| c.is_control() && !allowed_control(c)) {
        return Err(ValueError::ControlCharacter);
    }
    Ok(text.to_owned())
}
