//! The keys that sign stream tokens: one signs, several verify, so that they can be changed while
//! tokens are out.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

const MIN_KEY_BYTES: usize = 16;

/// In the order of the setting: the first one signs.
pub struct KeyRing(Vec<Key>);

pub struct Key {
    id: String,
    secret: Vec<u8>,
}

/// Never quotes the setting: it is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyRingError {
    #[error("must be ID:HEX, several separated by commas")]
    Form,
    #[error("a key id consists of 1 to 32 letters, digits, '-' and '_'")]
    Id,
    #[error("a key has at least {MIN_KEY_BYTES} bytes, as hexadecimal digits")]
    Secret,
    #[error("a key id is there twice")]
    Repeated,
}

impl KeyRing {
    /// Reads `edge-1:HEX,edge-2:HEX`.
    pub fn parse(setting: &str) -> Result<Self, KeyRingError> {
        let mut keys = Vec::<Key>::new();
        for entry in setting.split(',') {
            let (id, secret) = entry.trim().split_once(':').ok_or(KeyRingError::Form)?;
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if !(1..=32).contains(&id.len()) || !id.bytes().all(allowed) {
                return Err(KeyRingError::Id);
            }
            let secret = hex::decode(secret).map_err(|_| KeyRingError::Secret)?;
            if secret.len() < MIN_KEY_BYTES {
                return Err(KeyRingError::Secret);
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyRingError::Repeated);
            }
            keys.push(Key { id: id.to_owned(), secret });
        }
        Ok(Self(keys))
    }

    pub fn signing(&self) -> &Key {
        self.0.first().expect("a setting has at least one entry, or parsing refuses it")
    }

    /// Differs for other keys, and tells nothing of them.
    pub fn digest(&self) -> String {
        let all = self.0.iter().fold(Sha256::new(), |all, key| {
            all.chain_update(Sha256::digest(key.id.as_bytes()))
                .chain_update(Sha256::digest(&key.secret))
        });
        hex::encode(&all.finalize()[..8])
    }

    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "000102030405060708090a0b0c0d0e0f";

    #[test]
    fn the_first_key_signs_and_all_are_found() {
        let ring = KeyRing::parse(&format!("edge-2:{SECRET}, edge-1:{SECRET}ff")).unwrap();
        assert_eq!(ring.signing().id(), "edge-2");
        assert_eq!(ring.get("edge-1").unwrap().secret().len(), 17);
        assert!(ring.get("edge-3").is_none());
        assert_eq!(format!("{ring:?}"), r#"["edge-2", "edge-1"]"#);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (setting, error) in [
            (String::new(), KeyRingError::Form),
            (SECRET.to_owned(), KeyRingError::Form),
            (format!("a.b:{SECRET}"), KeyRingError::Id),
            (format!(":{SECRET}"), KeyRingError::Id),
            ("a:0001".to_owned(), KeyRingError::Secret),
            (format!("a:{SECRET}x"), KeyRingError::Secret),
            (format!("a:{SECRET},a:{SECRET}"), KeyRingError::Repeated),
        ] {
            assert_eq!(KeyRing::parse(&setting).unwrap_err(), error);
        }
    }
}
