//! Decides whether a URL may be fetched, and from which addresses. The only place that resolves a
//! name, and it does so once: what was checked is what is connected to.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use url::{Host, Url};

use super::{AllowList, ProbeError, Resolve, special_purpose};

/// Where a URL's host is, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Never empty.
    pub addresses: Vec<SocketAddr>,
    /// Every address is in the allow list: the operator's own.
    pub allow_listed: bool,
}

/// The name, or address, and port of a URL that may be asked for at all.
pub fn origin(url: &Url) -> Result<(Host<&str>, u16), ProbeError> {
    if url.scheme() != "https" {
        return Err(ProbeError::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ProbeError::UserInfo);
    }
    let host = url.host().ok_or(ProbeError::BadUrl)?;
    let port = url.port_or_known_default().ok_or(ProbeError::BadUrl)?;
    Ok((host, port))
}

/// Resolves the host and checks every address: one that is not allowed refuses them all, because
/// which of them would be connected to is not the name's owner's to choose.
pub async fn check(
    host: Host<&str>,
    port: u16,
    resolver: &dyn Resolve,
    allow: &AllowList,
) -> Result<Target, ProbeError> {
    let addresses = match host {
        Host::Ipv4(address) => vec![IpAddr::V4(address)],
        Host::Ipv6(address) => vec![IpAddr::V6(address)],
        Host::Domain(name) => {
            resolver.resolve(name).await.map_err(|_| ProbeError::NameNotResolved)?
        }
    };
    let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    if addresses.is_empty() {
        return Err(ProbeError::NameNotResolved);
    }
    let strangers: Vec<_> = addresses.iter().filter(|address| !allow.allows(**address)).collect();
    if strangers.iter().any(|address| special_purpose(address.ip()).is_some()) {
        return Err(ProbeError::AddressNotAllowed);
    }
    if port != 443 && !strangers.is_empty() {
        return Err(ProbeError::PortNotAllowed);
    }
    Ok(Target { allow_listed: strangers.is_empty(), addresses })
}

/// Runs `work` against the clock.
pub async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ProbeError>>,
) -> Result<T, ProbeError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or(Err(ProbeError::TooSlow { max_seconds: limit.as_secs() }))
}
