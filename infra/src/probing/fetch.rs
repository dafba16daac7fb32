//! Fetches one file through the guard: redirects by hand and checked again, sizes counted while
//! reading, connections only to the addresses that were checked.

use std::{collections::HashMap, error::Error as _, io, net::SocketAddr, sync::Arc};

use reqwest::{
    Client, Response, StatusCode,
    dns::{Addrs, Name, Resolve as ReqwestResolve, Resolving as ReqwestResolving},
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use url::Url;

use super::{
    ProbeError, ProbeSettings, ProbeSetupError, Resolve,
    guard::{self, Target},
    tls::Trust,
};

/// What all probes of the process share.
#[derive(Debug)]
pub struct Fetcher {
    pub settings: ProbeSettings,
    header: Option<(HeaderName, HeaderValue)>,
    trust: Trust,
    resolver: Arc<dyn Resolve>,
}

impl Fetcher {
    pub fn new(
        settings: ProbeSettings,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, ProbeSetupError> {
        let header = match &settings.header {
            Some((name, value)) => {
                let refused = || ProbeSetupError::Header { name: name.clone() };
                let mut value =
                    HeaderValue::from_str(value.expose_secret()).map_err(|_| refused())?;
                value.set_sensitive(true);
                Some((HeaderName::try_from(name).map_err(|_| refused())?, value))
            }
            None => None,
        };
        let trust = Trust::load(settings.ca_file.as_deref())?;
        Ok(Self { settings, header, trust, resolver })
    }

    /// One probe's view of the network.
    pub fn session(&self) -> Session<'_> {
        Session { fetcher: self, clients: Mutex::new(HashMap::new()) }
    }

    fn client(&self, target: &Target) -> Result<Client, ProbeError> {
        let trust = if target.allow_listed { &self.trust.allowed } else { &self.trust.public };
        Client::builder()
            .user_agent(concat!("marquee-probe/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers(target))
            .tls_backend_preconfigured(trust.clone())
            .dns_resolver(Pinned(target.addresses.clone()))
            .https_only(true)
            .redirect(Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .build()
            .map_err(|_| ProbeError::Unreachable)
    }

    fn headers(&self, target: &Target) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let (true, Some((name, value))) = (target.allow_listed, &self.header) {
            headers.insert(name, value.clone());
        }
        headers
    }
}

/// A file, and the URL it came from in the end: what its relative URLs are relative to.
#[derive(Debug)]
pub struct Fetched {
    pub url: Url,
    pub body: Vec<u8>,
}

/// One probe: a name is resolved and checked once, however many files it serves, and a second
/// answer of its name server is never asked for.
#[derive(Debug)]
pub struct Session<'a> {
    fetcher: &'a Fetcher,
    clients: Mutex<HashMap<(String, u16), Client>>,
}

impl Session<'_> {
    pub async fn get(&self, url: &Url, max_bytes: usize) -> Result<Fetched, ProbeError> {
        let max_redirects = self.fetcher.settings.max_redirects;
        let mut url = url.clone();
        for _ in 0..=max_redirects {
            let client = self.client_for(&url).await?;
            let response = client.get(url.clone()).send().await.map_err(|e| refusal(&e))?;
            match response.status() {
                StatusCode::OK => {
                    let body = read(response, max_bytes).await?;
                    return Ok(Fetched { url, body });
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => url = location(&url, &response)?,
                _ => return Err(ProbeError::HttpStatus),
            }
        }
        Err(ProbeError::TooManyRedirects { max: max_redirects })
    }

    async fn client_for(&self, url: &Url) -> Result<Client, ProbeError> {
        let (host, port) = guard::origin(url)?;
        let key = (host.to_string(), port);
        // Held while resolving, so that parallel fetches of one host ask once.
        let mut clients = self.clients.lock().await;
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let Fetcher { resolver, settings, .. } = self.fetcher;
        let target = guard::check(host, port, resolver.as_ref(), &settings.allow).await?;
        let client = self.fetcher.client(&target)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// Gives the checked addresses for whatever name it is asked: there is no second look-up. (A
/// host that is an address is not asked for here; it was checked as it is.)
#[derive(Debug)]
struct Pinned(Vec<SocketAddr>);

impl ReqwestResolve for Pinned {
    fn resolve(&self, _: Name) -> ReqwestResolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

fn location(base: &Url, response: &Response) -> Result<Url, ProbeError> {
    let location = response.headers().get(header::LOCATION).ok_or(ProbeError::BadUrl)?;
    let location = location.to_str().map_err(|_| ProbeError::BadUrl)?;
    base.join(location).map_err(|_| ProbeError::BadUrl)
}

async fn read(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, ProbeError> {
    let mut encodings = response.headers().get_all(header::CONTENT_ENCODING).into_iter();
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ProbeError::Compressed);
    }
    let too_large = ProbeError::TooLarge { max_bytes };
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| refusal(&e))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The rule behind a client's error. Its text stays here: it may name addresses and URLs.
fn refusal(error: &reqwest::Error) -> ProbeError {
    let mut cause = error.source();
    while let Some(current) = cause {
        if current.is::<rustls::Error>() {
            return ProbeError::TlsNotTrusted;
        }
        // An I/O error that wraps another gives it by `get_ref`; its `source` is the one below.
        let wrapped = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    ProbeError::Unreachable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probing::SystemResolver;

    #[test]
    fn a_stranger_is_not_shown_the_probers_header() {
        let settings = ProbeSettings {
            header: Some(("X-Probe".into(), "let-me-in".into())),
            ..ProbeSettings::default()
        };
        let fetcher = Fetcher::new(settings, Arc::new(SystemResolver)).unwrap();
        let target = |allow_listed| Target { addresses: Vec::new(), allow_listed };
        assert_eq!(fetcher.headers(&target(false)).get("x-probe"), None);
        assert!(fetcher.headers(&target(true)).get("x-probe").unwrap().is_sensitive());
    }
}
