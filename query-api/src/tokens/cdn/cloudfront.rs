//! Amazon CloudFront: a custom policy for the movie's directory, signed with RSA over SHA-1.
//!
//! CloudFront reads it from the query or from three cookies, never from the path. The signed URL
//! carries it in the query, which opens the master playlist; for all that is below, Amazon prescribes the
//! cookies (docs/stream-tokens.md).

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use rsa::{
    RsaPrivateKey,
    pkcs1::DecodeRsaPrivateKey,
    pkcs1v15::SigningKey,
    pkcs8::DecodePrivateKey,
    rand_core::OsRng,
    signature::{RandomizedSigner, SignatureEncoding},
    traits::PublicKeyParts,
};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use url::{Position, Url};

use super::{Cookie, Grant};
use crate::tokens::path::{self, UnsignablePath};

/// All that CloudFront takes.
const KEY_BITS: usize = 2048;

pub struct Key(SigningKey<Sha1>);

pub struct Policy {
    json: String,
    /// What cookies are for.
    path: String,
}

impl Key {
    /// PEM, of either form.
    pub fn parse(secret: &SecretString) -> Option<Self> {
        let pem = secret.expose_secret();
        let key = RsaPrivateKey::from_pkcs8_pem(pem)
            .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem).map_err(|_| ()))
            .ok()?;
        (key.n().bits() == KEY_BITS).then(|| Self(SigningKey::new(key)))
    }

    pub fn sign(&self, policy: &Policy) -> String {
        // Blinded: how long it takes tells nothing of the key. The signature is the same each time.
        let signature = self.0.sign_with_rng(&mut OsRng, policy.json.as_bytes());
        encode(&signature.to_vec())
    }
}

impl Policy {
    pub fn of(grant: &Grant<'_>) -> Result<Self, UnsignablePath> {
        let directory = path::plain_directory(grant.playlist)?;
        let origin = &grant.playlist[..Position::BeforePath];
        let resource = format!("{origin}{directory}/*");
        Ok(Self { json: json(&resource, grant.expires.timestamp()), path: format!("{directory}/") })
    }

    pub fn query(&self, signature: &str, key_id: &str) -> String {
        let policy = encode(self.json.as_bytes());
        format!("Policy={policy}&Signature={signature}&Key-Pair-Id={key_id}")
    }

    pub fn cookies(&self, signature: &str, key_id: &str, domain: Option<&str>) -> Vec<Cookie> {
        [
            ("CloudFront-Policy", encode(self.json.as_bytes())),
            ("CloudFront-Signature", signature.to_owned()),
            ("CloudFront-Key-Pair-Id", key_id.to_owned()),
        ]
        .map(|(name, value)| Cookie {
            name,
            value,
            path: self.path.clone(),
            domain: domain.map(str::to_owned),
        })
        .into()
    }
}

pub fn carry(playlist: &Url, token: &str) -> String {
    let mut url = playlist.clone();
    let query = match playlist.query() {
        Some(query) => format!("{query}&{token}"),
        None => token.to_owned(),
    };
    url.set_query(Some(&query));
    url.into()
}

/// Without white space, as CloudFront wants it. Nothing in a plain URL needs escaping.
fn json(resource: &str, expires: i64) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    )
}

/// Base64 in CloudFront's own alphabet.
fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use rsa::{
        BigUint, RsaPublicKey,
        pkcs1v15::{Signature, VerifyingKey},
        signature::Verifier,
    };
    use serde_json::Value;

    use super::*;
    use crate::tokens::cdn::vectors;

    fn decode(text: &str) -> Vec<u8> {
        let standard = text.replace('-', "+").replace('_', "=").replace('~', "/");
        BASE64_STANDARD.decode(standard).unwrap()
    }

    fn parameter(url: &Url, name: &str) -> Option<String> {
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn public_key(vector: &Value) -> VerifyingKey<Sha1> {
        let modulus: BigUint = vector["rsa_n"].as_str().unwrap().parse().unwrap();
        let exponent = BigUint::from(vector["rsa_e"].as_u64().unwrap());
        VerifyingKey::new(RsaPublicKey::new(modulus, exponent).unwrap())
    }

    #[test]
    fn amazon_s_own_signatures_are_of_the_policies_that_we_write() {
        let vectors = vectors::of("cloudfront");
        assert_eq!(vectors.len(), 2);
        for vector in vectors {
            let policy: Value = serde_json::from_str(vector["policy"].as_str().unwrap()).unwrap();
            let statement = &policy["Statement"][0];
            let expires = statement["Condition"]["DateLessThan"]["AWS:EpochTime"].as_i64().unwrap();
            let ours = json(statement["Resource"].as_str().unwrap(), expires);
            assert_eq!(ours, vector["policy"].as_str().unwrap());

            let url = Url::parse(vector["signed_url"].as_str().unwrap()).unwrap();
            let signature = decode(&parameter(&url, "Signature").unwrap());
            let signature = Signature::try_from(signature.as_slice()).unwrap();
            public_key(&vector).verify(ours.as_bytes(), &signature).unwrap();
            // The first one is of a canned policy, which is not sent along.
            if let Some(sent) = parameter(&url, "Policy") {
                assert_eq!(encode(ours.as_bytes()), sent);
            }
        }
    }

    #[test]
    fn what_we_sign_verifies_and_is_the_same_each_time() {
        let key = Key::parse(&vectors::RSA_PEM.into()).unwrap();
        let policy = Policy { json: json("https://d1.cloudfront.net/m/*", 7), path: "/m/".into() };
        let signature = key.sign(&policy);
        assert_eq!(key.sign(&policy), signature);
        assert!(signature.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_~".contains(&b)));
        let public = VerifyingKey::<Sha1>::new(key.0.as_ref().to_public_key());
        let read = Signature::try_from(decode(&signature).as_slice()).unwrap();
        public.verify(policy.json.as_bytes(), &read).unwrap();
        assert!(public.verify(b"{}", &read).is_err());

        let cookies = policy.cookies(&signature, "K2", Some("example.org"));
        assert_eq!(
            policy.query(&signature, "K2"),
            format!(
                "Policy={}&Signature={}&Key-Pair-Id={}",
                cookies[0].value, cookies[1].value, cookies[2].value
            )
        );
    }

    #[test]
    fn a_query_of_the_playlist_s_own_stays_in_front() {
        let url = Url::parse("https://d1.cloudfront.net/m/a.m3u8?v=1").unwrap();
        assert_eq!(carry(&url, "Policy=x"), "https://d1.cloudfront.net/m/a.m3u8?v=1&Policy=x");
    }
}
