//! Keys with ids: one signs, all of them verify, so that they can be changed while tokens are out.

use std::fmt;

use thiserror::Error;

const MAX_ID_CHARS: usize = 32;

/// In the order of the setting: the first one signs. There is always one.
pub struct Ring<K>(Vec<(String, K)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RingError {
    #[error("there is no key")]
    Empty,
    #[error("a key id consists of 1 to {MAX_ID_CHARS} letters, digits, '-' and '_'")]
    Id,
    #[error("a key id is there twice")]
    Repeated,
}

impl<K> Ring<K> {
    pub fn new(keys: Vec<(String, K)>) -> Result<Self, RingError> {
        if keys.is_empty() {
            return Err(RingError::Empty);
        }
        for (index, (id, _)) in keys.iter().enumerate() {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if !(1..=MAX_ID_CHARS).contains(&id.len()) || !id.bytes().all(allowed) {
                return Err(RingError::Id);
            }
            if keys[..index].iter().any(|(other, _)| other == id) {
                return Err(RingError::Repeated);
            }
        }
        Ok(Self(keys))
    }

    pub fn signing_id(&self) -> &str {
        &self.0.first().expect("a ring is made with at least one key").0
    }

    pub fn get(&self, id: &str) -> Option<&K> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }

    /// The one that signs first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(id, _)| id.as_str())
    }
}

/// Its ids, and never a key.
impl<K> fmt::Debug for Ring<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[&str]) -> Result<Ring<usize>, RingError> {
        Ring::new(ids.iter().enumerate().map(|(key, id)| ((*id).to_owned(), key)).collect())
    }

    #[test]
    fn the_first_key_signs_and_all_are_found() {
        let ring = ring(&["edge-2", "edge-1"]).unwrap();
        assert_eq!(ring.signing_id(), "edge-2");
        assert_eq!((ring.get("edge-1"), ring.get("edge-3")), (Some(&1), None));
        assert_eq!(format!("{ring:?}"), r#"["edge-2", "edge-1"]"#);
    }

    #[test]
    fn a_ring_without_a_key_or_with_a_doubtful_id_is_none() {
        for (ids, error) in [
            (vec![], RingError::Empty),
            (vec![""], RingError::Id),
            (vec!["a.b"], RingError::Id),
            (vec!["a~b"], RingError::Id),
            (vec!["a", "b", "a"], RingError::Repeated),
        ] {
            assert_eq!(ring(&ids).unwrap_err(), error, "{ids:?}");
        }
        assert_eq!(ring(&[&"a".repeat(33)]).unwrap_err(), RingError::Id);
    }
}
