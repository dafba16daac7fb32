//! What a bucket is for: a scope, and who is counted.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    ViewerRead,
    AdminMutation,
}

impl Scope {
    /// The data model's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewerRead => "VIEWER_READ",
            Self::AdminMutation => "ADMIN_MUTATION",
        }
    }

    /// The policy's name in the `RateLimit` headers.
    pub const fn policy(self) -> &'static str {
        match self {
            Self::ViewerRead => "viewer-read",
            Self::AdminMutation => "admin-mutation",
        }
    }
}

/// Who is counted. Small and without a heap, because it is made for every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketKey {
    User(Uuid),
    Client(IpAddr),
}

impl BucketKey {
    /// One household or host usually has a whole /64 of IPv6: its addresses are one client.
    pub fn client(address: IpAddr) -> Self {
        Self::Client(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for BucketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Client(IpAddr::V6(network)) => write!(f, "ip:{network}/64"),
            Self::Client(address) => write!(f, "ip:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> String {
        BucketKey::client(address.parse().unwrap()).to_string()
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_an_ipv4_address_is_one_in_either_form() {
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "ip:2001:db8:1:2::/64");
        assert_eq!(client("2001:db8:1:2:ffff::1"), client("2001:db8:1:2::"));
        assert_ne!(client("2001:db8:1:3::1"), client("2001:db8:1:2::1"));
        assert_eq!(client("203.0.113.7"), "ip:203.0.113.7");
        assert_eq!(client("::ffff:203.0.113.7"), "ip:203.0.113.7");
    }
}
