//! Ids that say whose session it is to whoever has the key, and to nobody else.
//!
//! An id is a UUID of version 8: when the session began (48 bits, milliseconds), some randomness, and 62
//! bits of a MAC over both and the owner. So a report can be taken from the session's owner only, without
//! asking anyone whose it is.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use marquee_domain::ViewingSessionId;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::tokens::{BadContextKey, ViewerContext, ViewerContextKey};

#[derive(Clone)]
pub struct SessionIds(Hmac<Sha256>);

impl SessionIds {
    /// With a key of its own, made from the viewers' one.
    pub fn new(context_key: &SecretString) -> Result<Self, BadContextKey> {
        ViewerContextKey::parse(context_key)?;
        let key = hex::decode(context_key.expose_secret()).map_err(|_| BadContextKey)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| BadContextKey)?;
        mac.update(b"the key of viewing sessions' ids");
        Hmac::new_from_slice(&mac.finalize().into_bytes()).map(Self).map_err(|_| BadContextKey)
    }

    pub fn issue(
        &self,
        owner: &ViewerContext,
        now: DateTime<Utc>,
        random: [u8; 2],
    ) -> ViewingSessionId {
        let milliseconds = now.timestamp_millis().to_be_bytes();
        let mut head = [0; 8];
        head[..6].copy_from_slice(&milliseconds[2..]);
        head[6..].copy_from_slice(&random);
        self.seal(head, owner)
    }

    /// Whether the session is this owner's.
    pub fn belongs(&self, session_id: ViewingSessionId, owner: &ViewerContext) -> bool {
        let bytes = session_id.uuid().into_bytes();
        let mut head = [0; 8];
        head.copy_from_slice(&bytes[..8]);
        let sealed = self.seal(head, owner).uuid().into_bytes();
        sealed.ct_eq(&bytes).into()
    }

    /// When the session began. Only to be believed of one that belongs to somebody.
    pub fn started_at(session_id: ViewingSessionId) -> Option<DateTime<Utc>> {
        let bytes = session_id.uuid().into_bytes();
        let mut milliseconds = [0; 8];
        milliseconds[2..].copy_from_slice(&bytes[..6]);
        DateTime::from_timestamp_millis(i64::from_be_bytes(milliseconds))
    }

    fn seal(&self, head: [u8; 8], owner: &ViewerContext) -> ViewingSessionId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&head);
        // The version's bits are part of what is signed.
        let head = uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes();
        let mut mac = self.0.clone();
        mac.update(&head[..8]);
        mac.update(owner.as_str().as_bytes());
        let mac = mac.finalize().into_bytes();
        bytes[8..].copy_from_slice(&mac[..8]);
        let id: Uuid = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        ViewingSessionId::new(id)
    }
}

impl std::fmt::Debug for SessionIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionIds(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: &str) -> SecretString {
        SecretString::from(byte.repeat(32))
    }

    fn owner(session: &str) -> ViewerContext {
        ViewerContextKey::parse(&key("ab")).unwrap().context(None, Some(session))
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_775_074_500_123).unwrap()
    }

    #[test]
    fn an_id_is_its_owner_s_and_nobody_else_s() {
        let ids = SessionIds::new(&key("ab")).unwrap();
        let id = ids.issue(&owner("one"), now(), [0xff, 0xff]);
        assert_eq!(
            (id.uuid().get_version_num(), id.uuid().get_variant()),
            (8, uuid::Variant::RFC4122)
        );
        assert!(ids.belongs(id, &owner("one")));
        assert!(!ids.belongs(id, &owner("other")));
        assert!(!SessionIds::new(&key("cd")).unwrap().belongs(id, &owner("one")));
        assert_eq!(SessionIds::started_at(id), Some(now()));
        assert_ne!(ids.issue(&owner("one"), now(), [0, 0]), id);
        assert_ne!(ids.issue(&owner("other"), now(), [0xff, 0xff]), id);
    }

    #[test]
    fn no_id_with_a_bit_changed_belongs_to_anyone() {
        let ids = SessionIds::new(&key("ab")).unwrap();
        let id = ids.issue(&owner("one"), now(), [0, 7]);
        for bit in 0..128 {
            let forged = ViewingSessionId::new(Uuid::from_u128(id.uuid().as_u128() ^ (1 << bit)));
            assert!(!ids.belongs(forged, &owner("one")), "bit {bit}");
        }
        assert!(!ids.belongs(ViewingSessionId::new(Uuid::nil()), &owner("one")));
    }

    #[test]
    fn a_key_that_is_too_short_is_refused() {
        assert!(SessionIds::new(&SecretString::from("ab".repeat(31))).is_err());
        assert!(SessionIds::new(&SecretString::from("xy".repeat(32))).is_err());
    }
}
