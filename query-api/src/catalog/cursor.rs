//! A place in a list, opaque to clients, and signed: what comes back is what was given out.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

use super::{order::OwnedPlace, past::Positions};

/// A title's key has at most 512 characters, and a topic has some partitions.
const MAX_CHARS: usize = 8_192;
const TAG_BYTES: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Of the query whose pages it turns.
    pub(super) fingerprint: [u8; 8],
    /// What the first page was read from,
    pub(super) positions: Positions,
    /// its highest position,
    pub(super) position: u64,
    /// when, in microseconds since 1970,
    pub(super) instant: i64,
    /// and how many movies all pages have.
    pub(super) total: usize,
    /// The last movie of the page before.
    pub(super) place: OwnedPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not a next_cursor of this list")]
pub struct NotACursor;

/// Signs cursors. All processes of a service have the same one.
#[derive(Debug, Clone)]
pub struct CursorKey(Hmac<Sha256>);

impl CursorKey {
    /// A key of its own, made from a secret that is there for something else.
    pub fn derive(secret: &SecretString) -> Self {
        let mac = keyed(secret.expose_secret().as_bytes()).chain_update(b"marquee cursors v1");
        Self(keyed(&mac.finalize().into_bytes()))
    }

    pub fn sign(&self, cursor: &Cursor) -> Result<String, serde_json::Error> {
        let mut bytes = serde_json::to_vec(cursor)?;
        let tag = self.0.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn open(&self, text: &str) -> Result<Cursor, NotACursor> {
        if text.len() > MAX_CHARS {
            return Err(NotACursor);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACursor)?;
        let (json, tag) =
            bytes.len().checked_sub(TAG_BYTES).map(|at| bytes.split_at(at)).ok_or(NotACursor)?;
        let mac = self.0.clone().chain_update(json);
        mac.verify_truncated_left(tag).map_err(|_| NotACursor)?;
        serde_json::from_slice(json).map_err(|_| NotACursor)
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::past::PartitionPosition;

    #[test]
    fn a_cursor_survives_the_trip_and_nothing_else_does() {
        let key = CursorKey::derive(&"a secret".into());
        let movie_id = "0197d2a5-0000-7000-8000-000000000001".parse().unwrap();
        for place in [
            OwnedPlace::Title("ß \"quoted\"".to_owned(), movie_id),
            OwnedPlace::Time(-1, movie_id),
            OwnedPlace::Score(7, String::new(), movie_id),
        ] {
            let at = PartitionPosition { partition: 3, generation: 1, position: 9 };
            let cursor = Cursor {
                fingerprint: [7; 8],
                positions: Positions::new([at]),
                position: 9,
                instant: 1,
                total: 12,
                place,
            };
            let text = key.sign(&cursor).unwrap();
            assert_eq!(key.open(&text), Ok(cursor));
            assert_eq!(CursorKey::derive(&"another".into()).open(&text), Err(NotACursor));
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&text).unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let flipped = BASE64_URL_SAFE_NO_PAD.encode(flipped);
                assert_eq!(key.open(&flipped), Err(NotACursor), "bit {bit}");
            }
        }
        for nonsense in ["", "x", "e30", "!!", &"A".repeat(MAX_CHARS + 1)] {
            assert_eq!(key.open(nonsense), Err(NotACursor));
        }
    }
}
