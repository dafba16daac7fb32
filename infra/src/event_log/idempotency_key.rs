//! The key under which a caller may safely repeat a command.

use std::fmt;

use thiserror::Error;

/// What a client sends as `Idempotency-Key`: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 1 to {} printable ASCII characters", IdempotencyKey::MAX_CHARS)]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    pub const MAX_CHARS: usize = 255;

    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let printable = |b: u8| matches!(b, b' '..=b'~');
        // MySQL ignores trailing spaces when it compares: two keys must not differ by them alone.
        let well_formed = (1..=Self::MAX_CHARS).contains(&text.len())
            && text.bytes().all(printable)
            && !text.ends_with(' ');
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidIdempotencyKey) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
