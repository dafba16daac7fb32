//! Why a value was refused. The text is written for the person who sent it.

use thiserror::Error;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    #[error("must not be empty")]
    Empty,
    #[error("must have at most {max} characters, has {actual}")]
    TooLong { max: usize, actual: usize },
    #[error("must not contain control characters")]
    ControlCharacter,
    #[error("must be a whole number from {min} to {max}")]
    OutOfRange { min: u32, max: u32 },
    #[error("must have at least one entry")]
    NoEntries,
    #[error("must have at most {max} entries, has {actual}")]
    TooManyEntries { max: usize, actual: usize },
    #[error("must be an absolute https URL")]
    NotHttps,
    #[error("must not carry a user name or password")]
    UserInfo,
    #[error("must not have a fragment")]
    Fragment,
    #[error("must have a path that ends with {suffix}")]
    PathSuffix { suffix: &'static str },
    #[error("must be an ISO 639-1 language code: two lower-case letters, such as \"en\"")]
    NotALanguage,
    #[error("must be one of {allowed}")]
    NotOneOf { allowed: &'static str },
    #[error("must be after availability_start")]
    EndNotAfterStart,
    #[error("must be 1 to 16 of the characters a-z, A-Z, 0-9, '.', '_' and '-', such as \"1080p\"")]
    NotAQualityTag,
    #[error("must be 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_', ':' and '-'")]
    NotAnErrorCode,
}
