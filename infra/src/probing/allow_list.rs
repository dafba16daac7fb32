//! The addresses and ports that may be probed though they are not public: local and test set-ups,
//! an origin inside the network. Written `CIDR:port, CIDR:port`, IPv6 in brackets.

use std::{net::SocketAddr, str::FromStr};

use ipnet::IpNet;
use thiserror::Error;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<(IpNet, u16)>);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{entry:?} is not CIDR:port, such as \"127.0.0.0/8:18443\" or \"[::1]/128:18443\"")]
pub struct AllowListError {
    entry: String,
}

impl AllowList {
    pub fn allows(&self, target: SocketAddr) -> bool {
        self.0.iter().any(|(net, port)| *port == target.port() && net.contains(&target.ip()))
    }
}

impl FromStr for AllowList {
    type Err = AllowListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| parse_entry(entry).ok_or_else(|| AllowListError { entry: entry.into() }))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn parse_entry(entry: &str) -> Option<(IpNet, u16)> {
    let (network, port) = entry.rsplit_once(':')?;
    let (address, prefix) = match network.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
        None => (network, None),
    };
    let bracketed = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bracketed {
        Some(v6) => IpNet::from(v6.parse::<std::net::Ipv6Addr>().map(std::net::IpAddr::V6).ok()?),
        None => IpNet::from(address.parse::<std::net::Ipv4Addr>().map(std::net::IpAddr::V4).ok()?),
    };
    let network = match prefix {
        Some(prefix) => IpNet::new(address.addr(), prefix).ok()?,
        None => address,
    };
    match port.parse().ok()? {
        0 => None,
        port => Some((network, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, target: &str) -> bool {
        list.parse::<AllowList>().unwrap().allows(target.parse().unwrap())
    }

    #[test]
    fn an_entry_is_a_network_and_one_port() {
        let list = "127.0.0.0/8:18443, [::1]/128:18443, 10.1.2.3:443";
        assert!(allows(list, "127.0.0.1:18443"));
        assert!(allows(list, "127.9.9.9:18443"));
        assert!(allows(list, "[::1]:18443"));
        assert!(allows(list, "10.1.2.3:443"));
        assert!(!allows(list, "127.0.0.1:443"));
        assert!(!allows(list, "[::1]:443"));
        assert!(!allows(list, "10.1.2.4:443"));
        assert!(!allows("", "127.0.0.1:443"));
    }

    #[test]
    fn a_mapped_form_is_not_the_address_it_carries() {
        assert!(!allows("127.0.0.0/8:443", "[::ffff:127.0.0.1]:443"));
    }

    #[test]
    fn anything_else_is_refused_with_the_entry_named() {
        for bad in ["127.0.0.1", "::1:443", "127.0.0.0/33:443", "localhost:443", "10.0.0.0/8:0"] {
            let refused = format!("127.0.0.1:443,{bad}").parse::<AllowList>().unwrap_err();
            assert_eq!(refused.entry, bad);
        }
    }
}
