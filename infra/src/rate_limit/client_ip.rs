//! Who is at the other end of a connection, when there may be proxies in between.

use std::net::IpAddr;

use ipnet::IpNet;

/// The networks whose `X-Forwarded-For` is believed. By default none.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The nearest address that is not a trusted proxy of ours. What stands to its left in the
    /// header was written by that address, which may claim anything.
    pub fn client<'a, H>(&self, peer: IpAddr, forwarded_for: H) -> IpAddr
    where
        H: IntoIterator<Item = &'a str>,
        H::IntoIter: DoubleEndedIterator,
    {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let entries = forwarded_for.into_iter().rev().flat_map(|header| header.rsplit(','));
        for entry in entries {
            let Some(address) = parse(entry.trim()) else { break };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, or an address with a port as some proxies write it.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse().ok().map(|socket: std::net::SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        let client =
            TrustedProxies::new(trusted).client(peer.parse().unwrap(), headers.iter().copied());
        client.to_string()
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        let nobody = TrustedProxies::default();
        assert_eq!(nobody.client([10, 0, 0, 1].into(), ["1.2.3.4"]), IpAddr::from([10, 0, 0, 1]));
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
}
