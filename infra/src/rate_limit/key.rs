//! What a bucket is for: a scope, and who is counted.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use thiserror::Error;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    ViewerRead,
    AdminMutation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be VIEWER_READ or ADMIN_MUTATION")]
pub struct UnknownScope;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be user:UUID, session:UUID, ip:ADDRESS or ip-sessions:ADDRESS, or a user's UUID or an address alone"
)]
pub struct UnknownBucketKey;

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

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        [Self::ViewerRead, Self::AdminMutation]
            .into_iter()
            .find(|scope| scope.as_str() == name)
            .ok_or(UnknownScope)
    }
}

/// Who is counted. Small and without a heap, because it is made for every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketKey {
    User(Uuid),
    /// A viewing session of nobody who is signed in.
    Session(Uuid),
    Client(IpAddr),
    /// All sessions of one address together.
    ClientSessions(IpAddr),
}

impl BucketKey {
    pub fn client(address: IpAddr) -> Self {
        Self::Client(network(address))
    }

    pub fn client_sessions(address: IpAddr) -> Self {
        Self::ClientSessions(network(address))
    }
}

/// One household or host usually has a whole /64 of IPv6: its addresses are one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl fmt::Display for BucketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, address) = match self {
            Self::User(id) => return write!(f, "user:{id}"),
            Self::Session(id) => return write!(f, "session:{id}"),
            Self::Client(address) => ("ip", address),
            Self::ClientSessions(address) => ("ip-sessions", address),
        };
        let network = if address.is_ipv6() { "/64" } else { "" };
        write!(f, "{kind}:{address}{network}")
    }
}

/// As it is shown, or by what a user's or an address's is made of.
impl FromStr for BucketKey {
    type Err = UnknownBucketKey;

    fn from_str(text: &str) -> Result<Self, UnknownBucketKey> {
        let id = |id: &str| Uuid::try_parse(id).map_err(|_| UnknownBucketKey);
        let address = |address: &str| {
            let address = address.strip_suffix("/64").unwrap_or(address);
            address.parse().map_err(|_| UnknownBucketKey)
        };
        match text.split_once(':') {
            Some(("user", user)) => id(user).map(Self::User),
            Some(("session", session)) => id(session).map(Self::Session),
            Some(("ip", client)) => address(client).map(Self::client),
            Some(("ip-sessions", client)) => address(client).map(Self::client_sessions),
            _ => id(text).map(Self::User).or_else(|_| address(text).map(Self::client)),
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

    #[test]
    fn a_key_is_read_as_it_is_shown_and_as_what_it_is_made_of() {
        let id = "0197d2a5-0000-7000-8000-000000000001";
        for (text, shown) in [
            (id, format!("user:{id}")),
            ("203.0.113.7", "ip:203.0.113.7".to_owned()),
            ("2001:db8:1:2:3::4", "ip:2001:db8:1:2::/64".to_owned()),
            ("ip:2001:db8:1:2::", "ip:2001:db8:1:2::/64".to_owned()),
            (format!("session:{id}").as_str(), format!("session:{id}")),
            ("ip-sessions:203.0.113.7", "ip-sessions:203.0.113.7".to_owned()),
            ("ip-sessions:2001:db8:1:2:3::4", "ip-sessions:2001:db8:1:2::/64".to_owned()),
        ] {
            let key: BucketKey = text.parse().unwrap();
            assert_eq!(key.to_string(), shown);
            assert_eq!(shown.parse(), Ok(key));
        }
        for text in [
            "",
            "user:",
            "user:x",
            "ip:",
            "ip:x",
            "session:x",
            "ip-sessions:",
            "203.0.113.7/64/64",
            "a:b",
        ] {
            assert_eq!(text.parse::<BucketKey>(), Err(UnknownBucketKey), "{text}");
        }
    }

    #[test]
    fn a_scope_has_the_data_model_s_name_only() {
        for scope in [Scope::ViewerRead, Scope::AdminMutation] {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert_eq!("viewer_read".parse::<Scope>(), Err(UnknownScope));
    }
}
