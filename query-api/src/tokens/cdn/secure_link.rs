//! nginx's `secure_link` module, in the path: `/sl/KEY/TOKEN-ID/MD5/EXPIRES/movies/7f3c/-/master.m3u8`.
//!
//! The segment `-` marks where the signed directory ends: all that a playlist names relative to
//! itself is below. nginx tells its half of it in docs/stream-tokens.md.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Grant;
use crate::tokens::path::{self, UnsignablePath};

const MIN_SECRET_CHARS: usize = 32;
const MARK: &str = "-";

/// It stands in nginx's configuration as it is.
pub struct Key(SecretString);

/// The directory that is opened, and what is below of the playlist's path.
pub struct Area {
    directory: String,
    file: String,
}

impl Key {
    /// Letters, digits, `-` and `_`: in a quoted string of nginx's, nothing of it means anything else.
    pub fn parse(secret: &SecretString) -> Option<Self> {
        let text = secret.expose_secret();
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        (text.len() >= MIN_SECRET_CHARS && plain).then(|| Self(secret.clone()))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Area {
    pub fn of(playlist: &Url) -> Result<Self, UnsignablePath> {
        let directory = path::plain_directory(playlist)?;
        if directory.split('/').any(|segment| segment == MARK) {
            return Err(UnsignablePath::NotPlain);
        }
        let file = playlist.path()[directory.len() + 1..].to_owned();
        Ok(Self { directory: directory.to_owned(), file })
    }

    pub fn carry(&self, playlist: &Url, token: &str) -> String {
        let mut url = playlist.clone();
        url.set_path(&format!("/sl/{token}{}/{MARK}/{}", self.directory, self.file));
        url.into()
    }
}

pub fn token(grant: &Grant<'_>, area: &Area, key_id: &str, key: &Key) -> String {
    let (token_id, expires) = (grant.token_id, grant.expires.timestamp());
    // The secret at the end: MD5 of what begins with a secret can be prolonged by anyone.
    let digest =
        digest(&format!("{expires}/{token_id}{} {}", area.directory, key.0.expose_secret()));
    format!("{key_id}/{token_id}/{digest}/{expires}")
}

/// What nginx compares with: `secure_link_md5`.
fn digest(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Md5::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use marquee_domain::MovieId;
    use uuid::Uuid;

    use super::*;
    use crate::tokens::cdn::vectors;

    #[test]
    fn nginx_s_own_vectors_have_the_same_digests() {
        let vectors = vectors::of("nginx-secure_link");
        assert_eq!(vectors.len(), 3);
        for vector in vectors {
            let input = vector["md5_input"].as_str().unwrap();
            assert_eq!(digest(input), vector["token"].as_str().unwrap(), "{vector}");
        }
    }

    fn signed(playlist: &str) -> Result<String, UnsignablePath> {
        let playlist = Url::parse(playlist).unwrap();
        let area = Area::of(&playlist)?;
        let at = |seconds| DateTime::from_timestamp_secs(seconds).unwrap();
        let grant = Grant {
            token_id: Uuid::from_u128(7),
            movie_id: MovieId::new(Uuid::from_u128(8)),
            starts: at(1_700_000_000),
            expires: at(1_700_000_300),
            playlist: &playlist,
        };
        let key = Key::parse(&"s".repeat(32).into()).unwrap();
        Ok(area.carry(&playlist, &token(&grant, &area, "sl-1", &key)))
    }

    #[test]
    fn a_mark_ends_the_directory_that_is_signed() {
        let id = Uuid::from_u128(7);
        let input = format!("1700000300/{id}/movies/7f3c {}", "s".repeat(32));
        assert_eq!(
            signed("https://cdn.example:8443/movies/7f3c/master.m3u8?v=1").unwrap(),
            format!(
                "https://cdn.example:8443/sl/sl-1/{id}/{}/1700000300/movies/7f3c/-/master.m3u8?v=1",
                digest(&input)
            )
        );
        assert_eq!(
            signed("https://cdn.example/movies/-/7f3c/m.m3u8"),
            Err(UnsignablePath::NotPlain)
        );
    }

    #[test]
    fn a_secret_is_long_and_means_nothing_to_nginx() {
        let good = "0123456789abcdef0123456789ABCD-_";
        assert!(Key::parse(&good.into()).is_some());
        for bad in ["", "short", &good[1..], &format!("{good}$uri"), &format!("{good}\"")] {
            assert!(Key::parse(&bad.into()).is_none(), "{bad}");
        }
    }
}
