//! A place in a list, opaque to clients.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use marquee_domain::MovieId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A title's key has at most 512 characters.
const MAX_CHARS: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Of the query whose pages it turns.
    pub fingerprint: [u8; 8],
    /// What the page before it was read from.
    pub position: u64,
    /// The last movie of the page before it.
    pub key: Key,
    pub movie_id: MovieId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    Title(String),
    /// Microseconds since 1970.
    Start(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a next_cursor of this list")]
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        if text.len() > MAX_CHARS {
            return Err(NotACursor);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACursor)?;
        serde_json::from_slice(&json).map_err(|_| NotACursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_trip() {
        for key in [Key::Title("ß \"quoted\"".to_owned()), Key::Start(-1)] {
            let cursor = Cursor {
                fingerprint: [7; 8],
                position: 9,
                key,
                movie_id: "0197d2a5-0000-7000-8000-000000000001".parse().unwrap(),
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for nonsense in ["", "x", "e30", "!!"] {
            assert_eq!(nonsense.parse::<Cursor>(), Err(NotACursor));
        }
    }
}
