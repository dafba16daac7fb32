//! Google Media CDN, in the form that the key calls for.
//!
//! Ed25519: a signature as a path component, `.../edge-cache-token=Expires=..&KeyName=..&Signature=../`,
//! which all that a playlist names relative to itself inherits. HMAC-SHA256: a token of the dual-token
//! kind, in the query; Media CDN itself exchanges it for one that it writes into the playlists.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::Ed25519KeyPair;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::{Position, Url};

use super::{Grant, Ring};
use crate::tokens::path::{self, UnsignablePath};

const COMPONENT: &str = "edge-cache-token=";
const MIN_SHARED_BYTES: usize = 16;

#[derive(Debug)]
pub struct MediaCdn {
    keys: Ring<Key>,
    /// What Google calls KeyName: the EdgeCacheKeyset, not a key within it.
    keyset: String,
}

pub enum Key {
    Ed25519(Ed25519KeyPair),
    HmacSha256(Vec<u8>),
}

impl Key {
    /// `ed25519:` and the seed, or `hmac-sha256:` and the shared key: base64url, padded or not.
    pub fn parse(secret: &SecretString) -> Option<Self> {
        let (algorithm, key) = secret.expose_secret().split_once(':')?;
        let key = BASE64_URL_SAFE_NO_PAD.decode(key.trim_end_matches('=')).ok()?;
        match algorithm {
            "ed25519" => Ed25519KeyPair::from_seed_unchecked(&key).ok().map(Self::Ed25519),
            "hmac-sha256" if key.len() >= MIN_SHARED_BYTES => Some(Self::HmacSha256(key)),
            _ => None,
        }
    }
}

impl MediaCdn {
    pub const fn new(keys: Ring<Key>, keyset: String) -> Self {
        Self { keys, keyset }
    }

    pub const fn keys(&self) -> &Ring<Key> {
        &self.keys
    }

    pub fn token(&self, grant: &Grant<'_>, key: &Key) -> Result<String, UnsignablePath> {
        let directory = path::plain_directory(grant.playlist)?;
        let expires = grant.expires.timestamp();
        Ok(match key {
            Key::Ed25519(pair) => {
                let fields = format!("Expires={expires}&KeyName={}", self.keyset);
                let origin = &grant.playlist[..Position::BeforePath];
                let signed = format!("{origin}{directory}/{COMPONENT}{fields}");
                format!("{fields}&Signature={}", ed25519(pair, &signed))
            }
            Key::HmacSha256(shared) => {
                let fields = format!(
                    "PathGlobs={directory}/*~Expires={expires}~SessionID={}",
                    grant.token_id
                );
                format!("{fields}~hmac={}", hmac_sha256(shared, &fields))
            }
        })
    }
}

pub fn carry(playlist: &Url, key: &Key, token: &str) -> String {
    let mut url = playlist.clone();
    match key {
        Key::Ed25519(_) => {
            let (directory, file) =
                playlist.path().rsplit_once('/').unwrap_or(("", playlist.path()));
            url.set_path(&format!("{directory}/{COMPONENT}{token}/{file}"));
        }
        Key::HmacSha256(_) => {
            let own = playlist.query().map(|query| format!("{query}&")).unwrap_or_default();
            url.set_query(Some(&format!("{own}{COMPONENT}{token}")));
        }
    }
    url.into()
}

fn ed25519(pair: &Ed25519KeyPair, text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes()))
}

fn hmac_sha256(shared: &[u8], text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(shared).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519(..)",
            Self::HmacSha256(_) => "HmacSha256(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use marquee_domain::MovieId;
    use uuid::Uuid;

    use super::*;
    use crate::tokens::cdn::vectors;

    fn key(vector: &serde_json::Value) -> Key {
        let algorithm = match vector["algorithm"].as_str().unwrap() {
            "sha256" => "hmac-sha256",
            other => other,
        };
        let secret = format!("{algorithm}:{}", vector["key_b64url"].as_str().unwrap());
        Key::parse(&secret.into()).unwrap()
    }

    #[test]
    fn google_s_own_vectors_are_signed_the_same() {
        let vectors = vectors::of("google-media-cdn");
        assert_eq!(vectors.len(), 8);
        for vector in vectors {
            let signed = vector["string_to_sign"].as_str().unwrap();
            let token = vector["token"].as_str().unwrap();
            let (field, signature) = match key(&vector) {
                Key::Ed25519(pair) => ("Signature=", ed25519(&pair, signed)),
                Key::HmacSha256(shared) => ("hmac=", hmac_sha256(&shared, signed)),
            };
            // One of them comes with padding, which Media CDN does not ask for.
            let (_, expected) = token.rsplit_once(field).unwrap();
            let expected = expected.split('/').next().unwrap().trim_end_matches('=');
            assert_eq!(signature, expected, "{vector}");
        }
    }

    fn signed(secret: &str, playlist: &str) -> String {
        let key = || Key::parse(&secret.into()).unwrap();
        let ring = Ring::new(vec![("k".to_owned(), key())]).unwrap();
        let playlist = Url::parse(playlist).unwrap();
        let at = |seconds| DateTime::from_timestamp_secs(seconds).unwrap();
        let grant = Grant {
            token_id: Uuid::from_u128(7),
            movie_id: MovieId::new(Uuid::from_u128(8)),
            starts: at(1_663_000_000),
            expires: at(1_663_070_400),
            playlist: &playlist,
        };
        let token = MediaCdn::new(ring, "test-key".to_owned()).token(&grant, &key()).unwrap();
        carry(&playlist, &key(), &token)
    }

    #[test]
    fn an_ed25519_signature_is_in_the_path_behind_the_directory() {
        let vectors = vectors::of("google-media-cdn");
        let vector = vectors.iter().find(|vector| vector["name"] == "path_component").unwrap();
        let secret = format!("ed25519:{}", vector["key_b64url"].as_str().unwrap());
        let url = signed(&secret, "https://example.com/movies/7f3c/master.m3u8?v=1");
        let (before, rest) = url.split_once("/edge-cache-token=").unwrap();
        assert_eq!(before, "https://example.com/movies/7f3c");
        let (fields, rest) = rest.split_once("&Signature=").unwrap();
        assert_eq!(fields, "Expires=1663070400&KeyName=test-key");
        let (signature, file) = rest.split_once('/').unwrap();
        assert_eq!((signature.len(), file), (86, "master.m3u8?v=1"));
    }

    #[test]
    fn an_hmac_token_is_in_the_query() {
        let url = signed(
            "hmac-sha256:g_SlMILiIWKqsC6Z2L7gy0sReDOqtSrJrE7CXNr5Nl8=",
            "https://m.example/a/b.m3u8?v=1",
        );
        let id = Uuid::from_u128(7);
        let fields = format!("PathGlobs=/a/*~Expires=1663070400~SessionID={id}");
        assert!(
            url.starts_with(&format!(
                "https://m.example/a/b.m3u8?v=1&edge-cache-token={fields}~hmac="
            )),
            "{url}"
        );
    }

    #[test]
    fn a_key_says_what_it_is() {
        for bad in ["", "ed25519:AAAA", "hmac-sha256:AAAA", "rsa:AAAA", "hmac-sha256:!!", "g_Sl"] {
            assert!(Key::parse(&bad.into()).is_none(), "{bad}");
        }
    }
}
