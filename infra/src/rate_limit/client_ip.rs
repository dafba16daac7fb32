//! Who is at the other end of a connection, when there may be proxies in between.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use ipnet::IpNet;
use serde::Deserialize;

/// In which header proxies say for whom they ask. Only one is read: a proxy that writes the one passes on
/// the other as the client made it up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// The networks whose header is believed. By default none.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: ForwardedHeader,
}

impl TrustedProxies {
    pub const fn new(networks: Vec<IpNet>, header: ForwardedHeader) -> Self {
        Self { networks, header }
    }

    /// The nearest address that is not a trusted proxy of ours. What stands to its left in the
    /// header was written by that address, which may claim anything.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        // A header that is not text ends the search like one that is no address.
        let hops = headers
            .get_all(self.header.name())
            .rev()
            .flat_map(|value| value.to_str().unwrap_or("").rsplit(','));
        for hop in hops {
            let Some(address) = self.header.address(hop.trim()) else { break };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

impl ForwardedHeader {
    const fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => X_FORWARDED_FOR,
            Self::Forwarded => FORWARDED,
        }
    }

    /// The address that a proxy added.
    fn address(self, hop: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => parse(hop),
            Self::Forwarded => hop
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(name, _)| name.eq_ignore_ascii_case("for"))
                .and_then(|(_, node)| parse(node.trim_matches('"'))),
        }
    }
}

/// An address, or an address with a port as some proxies write it.
fn parse(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    bare.parse().ok().or_else(|| node.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn read(header: ForwardedHeader, peer: &str, values: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header.name(), HeaderValue::from_str(value).unwrap());
        }
        TrustedProxies::new(trusted, header).client(peer.parse().unwrap(), &headers).to_string()
    }

    fn client(peer: &str, values: &[&str]) -> String {
        read(ForwardedHeader::XForwardedFor, peer, values)
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        let headers =
            [(X_FORWARDED_FOR, HeaderValue::from_static("1.2.3.4"))].into_iter().collect();
        let nobody = TrustedProxies::default();
        assert_eq!(nobody.client([10, 0, 0, 1].into(), &headers), IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn what_a_client_forged_stands_left_of_its_own_address_and_is_not_read() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.9.9.9"]), "198.51.100.1");
    }

    #[test]
    fn what_is_no_address_ends_the_search_at_the_last_hop_that_was_one() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, unknown, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[""]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711, [fd00::1]"]), "2001:db8::1");
    }

    #[test]
    fn forwarded_is_read_from_the_right_like_the_other_whatever_a_client_put_before() {
        let client = |values: &[&str]| read(ForwardedHeader::Forwarded, "10.0.0.1", values);
        assert_eq!(client(&["for=198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&["for=1.1.1.1, For=\"198.51.100.1:4711\";proto=https"]), "198.51.100.1");
        assert_eq!(
            client(&["for=1.1.1.1", "by=10.0.0.1; for=\"[2001:db8::1]:4711\", for=10.9.9.9"]),
            "2001:db8::1"
        );
        // A quotation mark that is never closed swallows nothing of what a proxy added.
        assert_eq!(client(&["for=\"1.1.1.1, for=198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&["for=1.1.1.1, for=unknown"]), "10.0.0.1");
        assert_eq!(client(&["for=1.1.1.1, for=_hidden, for=10.9.9.9"]), "10.9.9.9");
        assert_eq!(client(&["proto=https"]), "10.0.0.1");
    }

    #[test]
    fn the_header_that_the_proxy_does_not_write_is_not_read() {
        let headers: HeaderMap = [
            (X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1")),
            (FORWARDED, HeaderValue::from_static("for=198.51.100.2")),
        ]
        .into_iter()
        .collect();
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        for (header, expected) in [
            (ForwardedHeader::XForwardedFor, [198, 51, 100, 1]),
            (ForwardedHeader::Forwarded, [198, 51, 100, 2]),
        ] {
            let proxies = TrustedProxies::new(trusted.clone(), header);
            assert_eq!(proxies.client([10, 0, 0, 1].into(), &headers), IpAddr::from(expected));
        }
    }
}
