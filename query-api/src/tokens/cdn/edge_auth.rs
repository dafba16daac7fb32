//! The Akamai EdgeAuth 2.0 dialect: `st=..~exp=..~acl=..~id=..~data=..~hmac=..`.
//!
//! Of what the dialect allows, our tokens use the safe part: one ACL that ends `/*`, no salt, no IP
//! address. What is read is held to the same form, so that a token has one spelling only.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;
use url::Url;

use super::Grant;
use crate::tokens::path::{self, UnsignablePath};

/// The path segment that carries a token; the edge's configuration knows it too.
const SEGMENT: &str = "hdnts=";
/// What stands for itself in that segment.
const IN_SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'=');
const MIN_KEY_BYTES: usize = 16;

const MAC_FIELD: &str = "~hmac=";
const MAC_HEX_CHARS: usize = 64;
/// Longer than any of ours; what is longer is not looked at.
const MAX_CHARS: usize = 2_048;

pub struct Key(Vec<u8>);

impl Key {
    pub fn parse(secret: &SecretString) -> Option<Self> {
        let bytes = hex::decode(secret.expose_secret()).ok()?;
        (bytes.len() >= MIN_KEY_BYTES).then_some(Self(bytes))
    }

    pub fn secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

pub fn token(grant: &Grant<'_>, key_id: &str, key: &Key) -> Result<String, UnsignablePath> {
    Ok(Claims {
        start: grant.starts.timestamp(),
        expires: grant.expires.timestamp(),
        acl: &path::acl_of(grant.playlist)?,
        id: &grant.token_id.to_string(),
        // What the verifier needs: the movie, to see whether it is still shown, and the key.
        data: &format!("{}.{key_id}", grant.movie_id),
    }
    .sign(key.secret()))
}

/// The playlist's URL with the token as its first path segment, so that what the playlist names
/// relative to itself carries the token too.
pub fn carry(playlist: &Url, token: &str) -> String {
    let mut url = playlist.clone();
    let segment = utf8_percent_encode(token, IN_SEGMENT);
    url.set_path(&format!("/{SEGMENT}{segment}{}", playlist.path()));
    url.into()
}

/// What a token says. Times are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    pub start: i64,
    pub expires: i64,
    /// A canonical directory and `/*`.
    pub acl: &'a str,
    pub id: &'a str,
    pub data: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an EdgeAuth token of ours")]
pub struct Malformed;

/// A token that was read but not yet believed.
#[derive(Debug, Clone, Copy)]
pub struct Unverified<'a> {
    /// To be believed only after [`Self::is_signed_with`].
    pub claims: Claims<'a>,
    signed: &'a str,
    mac: [u8; 32],
}

impl Claims<'_> {
    pub fn sign(&self, key: &[u8]) -> String {
        let Self { start, expires, acl, id, data } = self;
        sign(&format!("st={start}~exp={expires}~acl={acl}~id={id}~data={data}"), key)
    }
}

impl<'a> Unverified<'a> {
    pub fn read(token: &'a str) -> Result<Self, Malformed> {
        if token.len() > MAX_CHARS {
            return Err(Malformed);
        }
        let (signed, mac_hex) = token.rsplit_once(MAC_FIELD).ok_or(Malformed)?;
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if mac_hex.len() != MAC_HEX_CHARS || !mac_hex.bytes().all(lower) {
            return Err(Malformed);
        }
        let mut mac = [0; 32];
        hex::decode_to_slice(mac_hex, &mut mac).map_err(|_| Malformed)?;

        let mut fields = signed.split('~');
        let mut field = |name: &str| {
            fields
                .next()
                .and_then(|field| field.strip_prefix(name)?.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .ok_or(Malformed)
        };
        let claims = Claims {
            start: seconds(field("st")?)?,
            expires: seconds(field("exp")?)?,
            acl: field("acl")?,
            id: field("id")?,
            data: field("data")?,
        };
        if fields.next().is_some() || !claims.acl.ends_with("/*") {
            return Err(Malformed);
        }
        Ok(Self { claims, signed, mac })
    }

    /// In constant time.
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        mac_of(self.signed, key).verify_slice(&self.mac).is_ok()
    }
}

fn seconds(text: &str) -> Result<i64, Malformed> {
    // "+1" and "01" would be other spellings of "1".
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if !canonical {
        return Err(Malformed);
    }
    text.parse().map_err(|_| Malformed)
}

fn sign(fields: &str, key: &[u8]) -> String {
    format!("{fields}{MAC_FIELD}{}", hex::encode(mac_of(fields, key).finalize().into_bytes()))
}

fn mac_of(fields: &str, key: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(fields.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const KEY: &[u8] = b"a key of thirty-two bytes, all me";
    const CLAIMS: Claims<'static> = Claims {
        start: 1_700_000_000,
        expires: 1_700_000_300,
        acl: "/movies/1/*",
        id: "0197d2a5-0000-7000-8000-000000000001",
        data: "0197d2a5-0000-7000-8000-000000000002.edge-1",
    };

    fn vectors() -> Vec<Value> {
        crate::tokens::cdn::vectors::of("akamai-edgeauth-2.0")
    }

    #[test]
    fn the_reference_implementation_signs_the_same_fields_the_same() {
        assert_eq!(vectors().len(), 5);
        for vector in vectors() {
            let key = hex::decode(vector["key_hex"].as_str().unwrap()).unwrap();
            let token = vector["token"].as_str().unwrap();
            let (fields, expected) = token.split_once(MAC_FIELD).unwrap();
            // The salt is signed and not sent.
            let salted = match vector["opts"]["salt"].as_str() {
                Some(salt) => format!("{fields}~salt={salt}"),
                None => fields.to_owned(),
            };
            let signed = sign(&salted, &key);
            assert_eq!(signed.rsplit_once(MAC_FIELD).unwrap().1, expected, "{}", vector["name"]);
        }
    }

    #[test]
    fn a_token_with_all_of_our_fields_is_the_reference_implementations() {
        let vector = vectors().into_iter().find(|vector| vector["name"] == "acl_full").unwrap();
        let opts = &vector["opts"];
        let claims = Claims {
            start: opts["start_time"].as_i64().unwrap(),
            expires: opts["end_time"].as_i64().unwrap(),
            acl: vector["path"].as_str().unwrap(),
            id: opts["session_id"].as_str().unwrap(),
            data: opts["payload"].as_str().unwrap(),
        };
        let key = hex::decode(vector["key_hex"].as_str().unwrap()).unwrap();
        let token = claims.sign(&key);
        assert_eq!(token, vector["token"].as_str().unwrap());
        let read = Unverified::read(&token).unwrap();
        assert_eq!(read.claims, claims);
        assert!(read.is_signed_with(&key));
    }

    #[test]
    fn other_forms_of_the_dialect_are_not_ours() {
        for vector in vectors().iter().filter(|vector| vector["name"] != "acl_full") {
            assert!(Unverified::read(vector["token"].as_str().unwrap()).is_err(), "{vector}");
        }
    }

    #[test]
    fn the_token_is_one_path_segment_and_the_rest_of_the_url_stays() {
        let playlist = Url::parse("https://cdn.example:8443/movies/a%20b/m.m3u8?v=1&w=2").unwrap();
        assert_eq!(
            carry(&playlist, "st=1~acl=/a%7E/*~hmac=0f"),
            "https://cdn.example:8443/hdnts=st=1~acl=%2Fa%257E%2F%2A~hmac=0f/movies/a%20b/m.m3u8?v=1&w=2"
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let token = CLAIMS.sign(KEY);
        assert!(Unverified::read(&token).unwrap().is_signed_with(KEY));
        assert!(!Unverified::read(&token).unwrap().is_signed_with(b"another key"));
        for bit in 0..token.len() * 8 {
            let mut bytes = token.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let accepted = Unverified::read(&changed).is_ok_and(|read| read.is_signed_with(KEY));
            assert!(!accepted, "{changed}");
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let token = CLAIMS.sign(KEY);
        let (fields, mac) = token.rsplit_once(MAC_FIELD).unwrap();
        for other in [
            format!("{fields}{MAC_FIELD}{}", mac.to_uppercase()),
            format!("{token} "),
            format!("{token}00"),
            format!("{MAC_FIELD}{mac}"),
            String::new(),
        ] {
            assert!(Unverified::read(&other).is_err(), "{other}");
        }
        for fields in [
            "exp=1700000300~st=1700000000~acl=/a/*~id=i~data=d",
            "st=+1~exp=2~acl=/a/*~id=i~data=d",
            "st=1~exp=2~acl=/a~id=i~data=d",
            "st=1~exp=2~acl=/a/*~id=~data=d",
            "st=1~exp=2~acl=/a/*~id=i~data=d~data=e",
            "st=1~exp=99999999999999999999~acl=/a/*~id=i~data=d",
        ] {
            assert!(Unverified::read(&sign(fields, KEY)).is_err(), "{fields}");
        }
    }
}
