//! Reading the keys: the file of all CDNs, or the short form for one that every host is of.
//!
//! What is wrong is told by its place, never by quoting: most of it is secret.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use thiserror::Error;

use super::{
    Cdn, Cdns, Dialect, HostPattern, MediaCdn, Ring, RingError, cloudfront, edge_auth, media_cdn,
    secure_link,
};

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CdnsError {
    #[error("must be ID:HEX, several separated by commas")]
    ShortForm,
    #[error("is not TOML of the expected form, at line {0}")]
    Toml(usize),
    #[error("names no CDN")]
    Empty,
    #[error("cdn {cdn}: {error}")]
    Cdn {
        /// From 1, in the file's order.
        cdn: usize,
        error: CdnError,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CdnError {
    #[error("hosts must name hosts, as \"cdn.example.org\", \"*.example.org\" or \"*\"")]
    Hosts,
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error("key {0} is also a key of another CDN")]
    Elsewhere(String),
    #[error("the secret of key {id} must be {expected}")]
    Secret { id: String, expected: &'static str },
    #[error("keyset must be 1 to 63 letters, digits, '-' and '_', for MEDIA_CDN and for it alone")]
    Keyset,
    #[error("cookie_domain must be a host's name, for CLOUDFRONT and for it alone")]
    CookieDomain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    cdn: Vec<CdnForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CdnForm {
    hosts: Vec<String>,
    dialect: DialectForm,
    keys: Vec<KeyForm>,
    keyset: Option<String>,
    cookie_domain: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DialectForm {
    EdgeAuth,
    SecureLink,
    Cloudfront,
    MediaCdn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm {
    id: String,
    secret: SecretString,
}

impl Cdns {
    /// `edge-1:HEX,edge-2:HEX`: `EdgeAuth` for every host.
    pub fn of_every_host(keys: &SecretString) -> Result<Self, CdnsError> {
        let keys = keys
            .expose_secret()
            .split(',')
            .map(|entry| {
                let (id, secret) = entry.trim().split_once(':').ok_or(CdnsError::ShortForm)?;
                Ok(KeyForm { id: id.to_owned(), secret: secret.into() })
            })
            .collect::<Result<_, _>>()?;
        let dialect = DialectForm::EdgeAuth;
        let form =
            CdnForm { hosts: vec!["*".into()], dialect, keys, keyset: None, cookie_domain: None };
        Self::build(vec![form])
    }

    /// A file's text.
    pub fn parse(toml: &str) -> Result<Self, CdnsError> {
        let form: FileForm = toml::from_str(toml).map_err(|error| {
            let begin = error.span().map_or(0, |span| span.start);
            CdnsError::Toml(1 + toml.bytes().take(begin).filter(|byte| *byte == b'\n').count())
        })?;
        Self::build(form.cdn)
    }

    fn build(forms: Vec<CdnForm>) -> Result<Self, CdnsError> {
        if forms.is_empty() {
            return Err(CdnsError::Empty);
        }
        let mut cdns = Vec::<Cdn>::with_capacity(forms.len());
        for (index, form) in forms.into_iter().enumerate() {
            let in_place = |error| CdnsError::Cdn { cdn: index + 1, error };
            let cdn = form.build().map_err(in_place)?;
            // The audit, and the edge's questions, name a key by its id alone.
            if let Some(id) = cdn.key_ids().find(|id| cdns.iter().any(|other| other.has_key(id))) {
                return Err(in_place(CdnError::Elsewhere(id.to_owned())));
            }
            cdns.push(cdn);
        }
        Ok(Self::new(cdns))
    }
}

impl CdnForm {
    fn build(self) -> Result<Cdn, CdnError> {
        let hosts: Option<Vec<_>> =
            self.hosts.iter().map(|host| HostPattern::parse(host)).collect();
        let hosts = hosts.filter(|hosts| !hosts.is_empty()).ok_or(CdnError::Hosts)?;
        if self.keyset.is_some() != (self.dialect == DialectForm::MediaCdn) {
            return Err(CdnError::Keyset);
        }
        if self.cookie_domain.is_some() && self.dialect != DialectForm::Cloudfront {
            return Err(CdnError::CookieDomain);
        }
        let dialect = match self.dialect {
            DialectForm::EdgeAuth => Dialect::EdgeAuth(ring(
                self.keys,
                edge_auth::Key::parse,
                "at least 16 bytes, as hexadecimal digits",
            )?),
            DialectForm::SecureLink => Dialect::SecureLink(ring(
                self.keys,
                secure_link::Key::parse,
                "at least 32 letters, digits, '-' and '_'",
            )?),
            DialectForm::Cloudfront => Dialect::CloudFront {
                keys: ring(
                    self.keys,
                    cloudfront::Key::parse,
                    "an RSA private key of 2048 bits, as PEM",
                )?,
                cookie_domain: self.cookie_domain.as_deref().map(cookie_domain).transpose()?,
            },
            DialectForm::MediaCdn => {
                let keys = ring(
                    self.keys,
                    media_cdn::Key::parse,
                    "ed25519:SEED or hmac-sha256:KEY, as base64url",
                )?;
                Dialect::MediaCdn(MediaCdn::new(keys, keyset(self.keyset)?))
            }
        };
        Ok(Cdn { hosts, dialect })
    }
}

fn ring<K>(
    keys: Vec<KeyForm>,
    parse: impl Fn(&SecretString) -> Option<K>,
    expected: &'static str,
) -> Result<Ring<K>, CdnError> {
    let keys: Result<Vec<_>, CdnError> = keys
        .into_iter()
        .map(|KeyForm { id, secret }| match parse(&secret) {
            Some(key) => Ok((id, key)),
            None => Err(CdnError::Secret { id, expected }),
        })
        .collect();
    Ok(Ring::new(keys?)?)
}

fn keyset(name: Option<String>) -> Result<String, CdnError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    name.filter(|name| (1..=63).contains(&name.len()) && name.bytes().all(plain))
        .ok_or(CdnError::Keyset)
}

fn cookie_domain(name: &str) -> Result<String, CdnError> {
    match HostPattern::parse(name) {
        Some(HostPattern::Exactly(domain)) => Ok(domain),
        Some(HostPattern::All | HostPattern::Below(_)) | None => Err(CdnError::CookieDomain),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::tokens::cdn::vectors::all_dialects;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f";

    fn dialect_of(cdns: &Cdns, url: &str) -> Option<&'static str> {
        cdns.of(&Url::parse(url).unwrap()).map(Cdn::dialect)
    }

    #[test]
    fn a_host_has_the_dialect_of_the_first_cdn_that_names_it() {
        let cdns = Cdns::parse(&all_dialects()).unwrap();
        for (url, dialect) in [
            ("https://a.akamaized.example/m/a.m3u8", Some("EDGE_AUTH")),
            ("https://nginx.example/m/a.m3u8", Some("SECURE_LINK")),
            ("https://d1.cloudfront.example/m/a.m3u8", Some("CLOUDFRONT")),
            ("https://media.example/m/a.m3u8", Some("MEDIA_CDN")),
            ("https://elsewhere.example/m/a.m3u8", None),
        ] {
            assert_eq!(dialect_of(&cdns, url), dialect, "{url}");
        }
        let ids = [["edge-2", "edge-1"].as_slice(), &["sl-1"], &["K2JCJMDEHXQW5F"], &["mc-1"]];
        assert_eq!(cdns.key_ids(), ids);
        for (host, id, is_there) in [
            (None, "edge-1", true),
            (None, "sl-1", false),
            (Some("a.akamaized.example"), "edge-1", true),
            (Some("A.Akamaized.Example"), "edge-1", true),
            (Some("nginx.example"), "edge-1", false),
            (Some("elsewhere.example"), "edge-1", false),
        ] {
            assert_eq!(cdns.edge_auth_key(host, id).is_some(), is_there, "{host:?} {id}");
        }
    }

    #[test]
    fn the_digest_is_of_what_verifies_and_not_of_what_signs() {
        let digest =
            |keys: &str| Cdns::of_every_host(&keys.into()).unwrap().verifying_digest().to_owned();
        let both = digest(&format!("a:{HEX},b:{HEX}ff"));
        assert_eq!(digest(&format!("b:{HEX}ff,a:{HEX}")), both);
        for others in
            [format!("a:{HEX}"), format!("a:{HEX}ff,b:{HEX}"), format!("a:{HEX},c:{HEX}ff")]
        {
            assert_ne!(digest(&others), both, "{others}");
        }
    }

    #[test]
    fn the_digest_is_of_whose_hosts_tokens_are_verified_with_which_keys() {
        let cdn = |hosts: &str, id: &str| {
            format!(
                "[[cdn]]\nhosts = ['{hosts}']\ndialect = 'EDGE_AUTH'\n\
                 [[cdn.keys]]\nid = '{id}'\nsecret = '{HEX}'\n"
            )
        };
        let digest =
            |cdns: [String; 2]| Cdns::parse(&cdns.concat()).unwrap().verifying_digest().to_owned();
        let before = digest([cdn("one", "a"), cdn("*", "b")]);
        assert_eq!(digest([cdn("one", "a"), cdn("*", "b")]), before);
        for others in [
            [cdn("one", "b"), cdn("*", "a")],
            [cdn("*", "b"), cdn("one", "a")],
            [cdn("two", "a"), cdn("*", "b")],
        ] {
            assert_ne!(digest(others.clone()), before, "{others:?}");
        }
    }

    #[test]
    fn the_short_form_is_edge_auth_for_every_host() {
        let keys = format!("edge-2:{HEX}, edge-1:{HEX}ff");
        let cdns = Cdns::of_every_host(&keys.into()).unwrap();
        assert_eq!(dialect_of(&cdns, "https://any.example/m/a.m3u8"), Some("EDGE_AUTH"));
        assert_eq!(cdns.key_ids(), [["edge-2", "edge-1"]]);
        for (keys, error) in [
            ("", "must be ID:HEX, several separated by commas"),
            (HEX, "must be ID:HEX, several separated by commas"),
            (
                "a:0001",
                "cdn 1: the secret of key a must be at least 16 bytes, as hexadecimal digits",
            ),
        ] {
            assert_eq!(Cdns::of_every_host(&keys.into()).unwrap_err().to_string(), error, "{keys}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place_and_without_the_secret() {
        let cdn = |rest: &str| format!("[[cdn]]\nhosts = ['*']\n{rest}");
        let key =
            |id: &str, secret: &str| format!("[[cdn.keys]]\nid = '{id}'\nsecret = '{secret}'\n");
        let edge_auth = |rest: &str| cdn(&format!("dialect = 'EDGE_AUTH'\n{rest}"));
        let good = edge_auth(&key("a", HEX));
        assert!(Cdns::parse(&good).is_ok());
        for (text, error) in [
            (String::new(), "at line 1"),
            ("cdn = []".to_owned(), "names no CDN"),
            (format!("{good}\nsecret = 7"), "at line "),
            (cdn("dialect = 'SECRET_ONE'\nkeys = []"), "at line 3"),
            (edge_auth("keys = 'SECRET'"), "at line 4"),
            (edge_auth("keys = []"), "cdn 1: there is no key"),
            (good.replace('*', "a b"), "cdn 1: hosts must name hosts"),
            (good.replace("'*'", ""), "cdn 1: hosts must name hosts"),
            (edge_auth(&key("a", "SECRET")), "cdn 1: the secret of key a must be at least 16"),
            (edge_auth(&key("a b", HEX)), "cdn 1: a key id consists of"),
            (edge_auth(&format!("{}{}", key("a", HEX), key("a", HEX))), "cdn 1: a key id is there"),
            (format!("{good}{good}"), "cdn 2: key a is also a key of another CDN"),
            (edge_auth(&format!("keyset = 'x'\n{}", key("a", HEX))), "cdn 1: keyset must be"),
            (edge_auth(&format!("cookie_domain = 'x'\n{}", key("a", HEX))), "cdn 1: cookie_domain"),
            (
                cdn(&format!("dialect = 'MEDIA_CDN'\n{}", key("a", "ed25519:SECRET"))),
                "cdn 1: keyset",
            ),
            (
                cdn(&format!("dialect = 'CLOUDFRONT'\n{}", key("a", "SECRET"))),
                "cdn 1: the secret of key a must be an RSA private key",
            ),
        ] {
            let found = Cdns::parse(&text).unwrap_err().to_string();
            assert!(found.contains(error), "{text}\n{found}");
            assert!(!found.contains("SECRET"), "{found}");
        }
    }
}
