//! Read your writes: what a command's answer carries and a later read waits for.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use marquee_domain::MovieId;

/// A point in one movie's history. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsistencyToken {
    pub movie_id: MovieId,
    pub version: u64,
    pub position: u64,
}

impl ConsistencyToken {
    /// The request and response header that carries it.
    pub const HEADER: &'static str = "Consistency-Token";
}

impl fmt::Display for ConsistencyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(self.movie_id.uuid().as_bytes());
        bytes[16..24].copy_from_slice(&self.version.to_be_bytes());
        bytes[24..].copy_from_slice(&self.position.to_be_bytes());
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a token from a command's answer")]
pub struct NotAConsistencyToken;

impl FromStr for ConsistencyToken {
    type Err = NotAConsistencyToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; 32] = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(NotAConsistencyToken)?;
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().fold(0, |number: u64, byte| (number << 8) | u64::from(*byte))
        };
        let movie_id = bytes[..16].try_into().map_err(|_| NotAConsistencyToken)?;
        Ok(Self {
            movie_id: MovieId::new(uuid::Uuid::from_bytes(movie_id)),
            version: number(16..24),
            position: number(24..32),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_trip() {
        let token = ConsistencyToken {
            movie_id: MovieId::new(uuid::Uuid::from_u128(7)),
            version: 3,
            position: u64::MAX,
        };
        assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn what_no_command_answered_with_is_refused() {
        let token = ConsistencyToken {
            movie_id: MovieId::new(uuid::Uuid::from_u128(u128::MAX)),
            version: 3,
            position: 9,
        }
        .to_string();
        assert_eq!(token.len(), 43);
        let bits_beyond_the_last_byte = format!("{}-", &token[..42]);
        for nonsense in [
            "",
            "nonsense",
            &token[..42],
            &token[1..],
            &format!("{token}A"),
            &format!("{token}="),
            &format!(" {token}"),
            &token.replace('_', "/"),
            &bits_beyond_the_last_byte,
            &"A".repeat(8_000),
            "\u{0}",
        ] {
            assert_eq!(
                nonsense.parse::<ConsistencyToken>(),
                Err(NotAConsistencyToken),
                "{nonsense}"
            );
        }
    }
}
