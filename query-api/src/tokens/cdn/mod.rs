//! The CDNs that movies are streamed from: by the playlist's host, which dialect of signed URLs one
//! understands, and with which keys.
//!
//! A dialect says what is signed and where the token is carried; it knows no Redis, no audit, no HTTP.

mod cloudfront;
pub mod edge_auth;
mod file;
mod hosts;
mod media_cdn;
mod ring;
mod secure_link;
mod settings;
#[cfg(test)]
mod vectors;

use std::fmt;

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::Url;
use uuid::Uuid;

pub use self::{
    file::{KeysFile, KeysFileError, KeysStatus, LiveCdns},
    ring::{Ring, RingError},
    settings::{CdnError, CdnsError},
};
use self::{hosts::HostPattern, media_cdn::MediaCdn};
use super::path::UnsignablePath;

/// All that are configured.
#[derive(Debug)]
pub struct Cdns {
    /// In the order in which a host is looked for. There is at least one, and key ids are unique.
    cdns: Vec<Cdn>,
    /// Of the keys that verify, and for which hosts.
    verifying_digest: String,
}

#[derive(Debug)]
pub struct Cdn {
    hosts: Vec<HostPattern>,
    dialect: Dialect,
}

#[derive(Debug)]
enum Dialect {
    EdgeAuth(Ring<edge_auth::Key>),
    SecureLink(Ring<secure_link::Key>),
    CloudFront { keys: Ring<cloudfront::Key>, cookie_domain: Option<String> },
    MediaCdn(MediaCdn),
}

/// What a token is to say. Times are whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    pub token_id: Uuid,
    pub movie_id: MovieId,
    pub starts: DateTime<Utc>,
    pub expires: DateTime<Utc>,
    pub playlist: &'a Url,
}

/// A grant that was signed. `url` and `cookies` are the secret.
pub struct Signed {
    pub url: String,
    /// With the token's digest in the token's place.
    pub redacted_url: String,
    /// Lower-case hexadecimal.
    pub token_sha256: String,
    /// For a CDN whose token is not in the path: what each request below has to carry.
    pub cookies: Vec<Cookie>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub name: &'static str,
    pub value: String,
    /// The movie's directory, so that the cookies of two movies stand beside each other.
    pub path: String,
    /// The domain that the API may set it for; without one, the player has to.
    pub domain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignError {
    #[error("there is no key of this id")]
    NoSuchKey,
    #[error(transparent)]
    Unsignable(#[from] UnsignablePath),
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("token_sha256", &self.token_sha256).finish_non_exhaustive()
    }
}

impl Cdns {
    fn new(cdns: Vec<Cdn>) -> Self {
        let mut keys: Vec<_> = cdns
            .iter()
            .enumerate()
            .filter_map(|(place, cdn)| Some((place, cdn.edge_auth()?)))
            .flat_map(|(place, ring)| {
                ring.ids().filter_map(move |id| Some((place, id, ring.get(id)?)))
            })
            .collect();
        // Which one signs makes no difference to what is verified.
        keys.sort_unstable_by_key(|(place, id, _)| (*place, *id));
        let all = keys.iter().fold(Sha256::new(), |all, (place, id, key)| {
            all.chain_update(Sha256::digest(place.to_string()))
                .chain_update(Sha256::digest(id))
                .chain_update(Sha256::digest(key.secret()))
        });
        // All hosts, in their order: it decides whose key a host's tokens are verified with.
        let all = cdns.iter().enumerate().fold(all, |all, (place, cdn)| {
            all.chain_update(Sha256::digest(format!("{place} {:?}", cdn.hosts)))
        });
        let verifying_digest = hex::encode(&all.finalize()[..8]);
        Self { cdns, verifying_digest }
    }

    /// Differs when other keys verify, and tells nothing of them.
    pub fn verifying_digest(&self) -> &str {
        &self.verifying_digest
    }

    pub fn of(&self, playlist: &Url) -> Option<&Cdn> {
        self.of_host(playlist.host_str()?)
    }

    /// `host` in lower case.
    fn of_host(&self, host: &str) -> Option<&Cdn> {
        self.cdns.iter().find(|cdn| cdn.hosts.iter().any(|pattern| pattern.matches(host)))
    }

    /// For the questions of this host's edge; of an edge that does not say which host's it is, any key
    /// of ours. Ids are unique over all CDNs.
    pub fn edge_auth_key(&self, host: Option<&str>, id: &str) -> Option<&edge_auth::Key> {
        match host {
            Some(host) => self.of_host(&host.to_ascii_lowercase())?.edge_auth()?.get(id),
            None => self.cdns.iter().find_map(|cdn| cdn.edge_auth()?.get(id)),
        }
    }

    /// Of all CDNs, each one's signing key first.
    pub fn key_ids(&self) -> Vec<Vec<String>> {
        self.cdns.iter().map(|cdn| cdn.key_ids().map(str::to_owned).collect()).collect()
    }
}

impl Cdn {
    const fn edge_auth(&self) -> Option<&Ring<edge_auth::Key>> {
        match &self.dialect {
            Dialect::EdgeAuth(ring) => Some(ring),
            Dialect::SecureLink(_) | Dialect::CloudFront { .. } | Dialect::MediaCdn(_) => None,
        }
    }

    /// As it is named in the settings and in the audit.
    pub const fn dialect(&self) -> &'static str {
        match self.dialect {
            Dialect::EdgeAuth(_) => "EDGE_AUTH",
            Dialect::SecureLink(_) => "SECURE_LINK",
            Dialect::CloudFront { .. } => "CLOUDFRONT",
            Dialect::MediaCdn(_) => "MEDIA_CDN",
        }
    }

    pub fn signing_key_id(&self) -> &str {
        match &self.dialect {
            Dialect::EdgeAuth(ring) => ring.signing_id(),
            Dialect::SecureLink(ring) => ring.signing_id(),
            Dialect::CloudFront { keys, .. } => keys.signing_id(),
            Dialect::MediaCdn(cdn) => cdn.keys().signing_id(),
        }
    }

    pub fn has_key(&self, id: &str) -> bool {
        self.key_ids().any(|known| known == id)
    }

    fn key_ids(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.dialect {
            Dialect::EdgeAuth(ring) => Box::new(ring.ids()),
            Dialect::SecureLink(ring) => Box::new(ring.ids()),
            Dialect::CloudFront { keys, .. } => Box::new(keys.ids()),
            Dialect::MediaCdn(cdn) => Box::new(cdn.keys().ids()),
        }
    }

    /// The same grant and key give the same token, always.
    pub fn sign(&self, key_id: &str, grant: &Grant<'_>) -> Result<Signed, SignError> {
        type Carry<'a> = Box<dyn Fn(&str) -> String + 'a>;
        let playlist = grant.playlist;
        let mut cookies = Vec::new();
        let (token, carry): (String, Carry<'_>) = match &self.dialect {
            Dialect::EdgeAuth(ring) => {
                let key = ring.get(key_id).ok_or(SignError::NoSuchKey)?;
                let token = edge_auth::token(grant, key_id, key)?;
                (token, Box::new(|token| edge_auth::carry(playlist, token)))
            }
            Dialect::SecureLink(ring) => {
                let key = ring.get(key_id).ok_or(SignError::NoSuchKey)?;
                let area = secure_link::Area::of(playlist)?;
                let token = secure_link::token(grant, &area, key_id, key);
                (token, Box::new(move |token| area.carry(playlist, token)))
            }
            Dialect::CloudFront { keys, cookie_domain } => {
                let key = keys.get(key_id).ok_or(SignError::NoSuchKey)?;
                let policy = cloudfront::Policy::of(grant)?;
                let signature = key.sign(&policy);
                cookies = policy.cookies(&signature, key_id, cookie_domain.as_deref());
                let token = policy.query(&signature, key_id);
                (token, Box::new(|token| cloudfront::carry(playlist, token)))
            }
            Dialect::MediaCdn(cdn) => {
                let key = cdn.keys().get(key_id).ok_or(SignError::NoSuchKey)?;
                let token = cdn.token(grant, key)?;
                (token, Box::new(|token| media_cdn::carry(playlist, key, token)))
            }
        };
        let token_sha256 = hex::encode(Sha256::digest(token.as_bytes()));
        Ok(Signed {
            url: carry(&token),
            redacted_url: carry(&format!("sha256-{token_sha256}")),
            token_sha256,
            cookies,
        })
    }
}
