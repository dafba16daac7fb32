//! What the keys of a playlist amount to (RFC 8216 sections 4.3.2.4 and 4.3.4.5).

use std::collections::BTreeSet;

use marquee_domain::values::Encryption;
use quick_m3u8::tag::hls::{EnumeratedString, Method};

use super::ProbeError;

/// The keys seen, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protection {
    /// AES-128 or SAMPLE-AES with a key that the playlist points to and anyone can fetch.
    pub identity: bool,
    pub drm_systems: BTreeSet<&'static str>,
    /// A key that could not be read, or of a format that is neither.
    pub unknown: bool,
}

impl Protection {
    pub fn add_key(&mut self, method: EnumeratedString<'_, Method>, keyformat: &str) {
        if method == EnumeratedString::Known(Method::None) {
            return;
        }
        // Registered formats are compared without case: packagers disagree on it.
        match keyformat.to_ascii_lowercase().as_str() {
            // ClearKey is a key system without a secret: as good as the identity format.
            "identity" | "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e" => self.identity = true,
            "com.apple.streamingkeydelivery" | "urn:uuid:94ce86fb-07ff-4f43-adb8-93d2fa968ca2" => {
                self.drm_systems.insert("FAIRPLAY");
            }
            "com.microsoft.playready" | "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95" => {
                self.drm_systems.insert("PLAYREADY");
            }
            "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed" => {
                self.drm_systems.insert("WIDEVINE");
            }
            _ => self.unknown = true,
        }
    }

    /// A key whose attributes cannot be read is not the same as no key.
    pub fn add_unreadable_key(&mut self) {
        self.unknown = true;
    }

    /// The class. A format that is not known is no matter beside one that is; alone, it leaves
    /// the class unknown.
    pub fn class(&self) -> Result<Encryption, ProbeError> {
        if !self.drm_systems.is_empty() {
            Ok(Encryption::Drm)
        } else if self.unknown {
            Err(ProbeError::UnknownEncryption)
        } else if self.identity {
            Ok(Encryption::Aes128)
        } else {
            Ok(Encryption::Clear)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(keys: &[(Method, &str)]) -> Result<Encryption, ProbeError> {
        let mut protection = Protection::default();
        for (method, keyformat) in keys {
            protection.add_key(EnumeratedString::Known(*method), keyformat);
        }
        protection.class()
    }

    const WIDEVINE: &str = "urn:uuid:EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED";

    #[test]
    fn a_key_that_anyone_can_fetch_is_not_drm() {
        assert_eq!(class(&[]), Ok(Encryption::Clear));
        assert_eq!(class(&[(Method::None, "identity")]), Ok(Encryption::Clear));
        assert_eq!(class(&[(Method::Aes128, "identity")]), Ok(Encryption::Aes128));
        assert_eq!(class(&[(Method::SampleAes, "identity")]), Ok(Encryption::Aes128));
    }

    #[test]
    fn a_key_system_is_drm_even_beside_a_clear_lead_or_an_unknown_system() {
        assert_eq!(
            class(&[(Method::None, "identity"), (Method::SampleAes, WIDEVINE)]),
            Ok(Encryption::Drm)
        );
        assert_eq!(
            class(&[(Method::SampleAesCtr, "com.example.drm"), (Method::SampleAesCtr, WIDEVINE)]),
            Ok(Encryption::Drm)
        );
    }

    #[test]
    fn what_cannot_be_classed_is_refused_rather_than_guessed() {
        let unknown = Err(ProbeError::UnknownEncryption);
        assert_eq!(class(&[(Method::SampleAes, "com.example.drm")]), unknown);
        assert_eq!(
            class(&[(Method::Aes128, "identity"), (Method::SampleAes, "com.example.drm")]),
            unknown
        );
        let mut protection = Protection::default();
        protection.add_unreadable_key();
        assert_eq!(protection.class(), unknown);
    }
}
