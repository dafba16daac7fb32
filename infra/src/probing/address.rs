//! Which addresses are public: the IANA special-purpose registries, as a table.
//!
//! The default is refusal. Of IPv6 only global unicast (2000::/3) can be public; inside it, and of
//! IPv4, everything the registries set aside is not. An IPv6 form that carries an IPv4 address is
//! refused as such, whatever it carries: a host that has only such an address is not on the
//! public Internet by its own name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(s: [u16; 8], prefix: u8) -> IpNet {
    let address = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    IpNet::V6(Ipv6Net::new_assert(address, prefix))
}

/// Not public, and why. The first match names the range.
const SPECIAL_PURPOSE: [(IpNet, &str); 39] = [
    (v4(0, 0, 0, 0, 8), "this network (RFC 791)"),
    (v4(10, 0, 0, 0, 8), "private use (RFC 1918)"),
    (v4(100, 64, 0, 0, 10), "shared address space, CGNAT (RFC 6598)"),
    (v4(127, 0, 0, 0, 8), "loopback (RFC 1122)"),
    (v4(169, 254, 0, 0, 16), "link-local, cloud metadata (RFC 3927)"),
    (v4(172, 16, 0, 0, 12), "private use (RFC 1918)"),
    (v4(192, 0, 0, 0, 24), "IETF protocol assignments (RFC 6890)"),
    (v4(192, 0, 2, 0, 24), "documentation (RFC 5737)"),
    (v4(192, 31, 196, 0, 24), "AS112 (RFC 7535)"),
    (v4(192, 52, 193, 0, 24), "AMT (RFC 7450)"),
    (v4(192, 88, 99, 0, 24), "6to4 relay anycast (RFC 7526)"),
    (v4(192, 168, 0, 0, 16), "private use (RFC 1918)"),
    (v4(192, 175, 48, 0, 24), "AS112 (RFC 7534)"),
    (v4(198, 18, 0, 0, 15), "benchmarking (RFC 2544)"),
    (v4(198, 51, 100, 0, 24), "documentation (RFC 5737)"),
    (v4(203, 0, 113, 0, 24), "documentation (RFC 5737)"),
    (v4(224, 0, 0, 0, 4), "multicast (RFC 5771)"),
    (v4(240, 0, 0, 0, 4), "reserved, limited broadcast (RFC 1112, RFC 919)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "IPv4-compatible (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "IPv4-mapped (RFC 4291)"),
    (v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), "IPv4-translated (RFC 2765)"),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), "NAT64 (RFC 6052)"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "NAT64, local use (RFC 8215)"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard-only (RFC 6666)"),
    (v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "dummy prefix (RFC 9780)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "Teredo (RFC 4380)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "IETF protocol assignments (RFC 2928)"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation (RFC 3849)"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "6to4 (RFC 3056)"),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "AS112 (RFC 7534)"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation (RFC 9637)"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "segment routing (RFC 9602)"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique local (RFC 4193)"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local (RFC 4291)"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local (RFC 3879)"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast (RFC 4291)"),
    // 3ffe::/16 was the 6bone; it is unallocated again and must not be routed.
    (v6([0x3ffe, 0, 0, 0, 0, 0, 0, 0], 16), "6bone, returned (RFC 3701)"),
];

const GLOBAL_UNICAST: IpNet = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Why `address` is not public, or `None` when it is.
pub fn special_purpose(address: IpAddr) -> Option<&'static str> {
    let named = SPECIAL_PURPOSE.iter().find(|(net, _)| net.contains(&address));
    match named {
        Some((_, why)) => Some(why),
        None if address.is_ipv6() && !GLOBAL_UNICAST.contains(&address) => {
            Some("outside global unicast (RFC 4291)")
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(address: &str) -> Option<&'static str> {
        special_purpose(address.parse().unwrap())
    }

    #[test]
    fn both_ends_of_every_range_are_refused() {
        for (net, name) in SPECIAL_PURPOSE {
            assert_eq!(net, net.trunc(), "{name}: not written as a network");
            for end in [net.network(), net.broadcast()] {
                assert!(special_purpose(end).is_some(), "{end} of {name}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_ranges_are_public() {
        let public = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:db7:ffff::",
            "2001:db9::",
            "2003::",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
        ];
        for address in public {
            assert_eq!(why(address), None, "{address}");
        }
    }

    #[test]
    fn forms_that_carry_an_ipv4_address_are_refused_whatever_they_carry() {
        let carried = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"];
        for v4 in carried {
            for prefix in ["::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"] {
                assert!(why(&format!("{prefix}{v4}")).is_some(), "{prefix}{v4}");
            }
        }
        assert_eq!(why("2002:7f00:1::"), Some("6to4 (RFC 3056)"));
        assert_eq!(why("2001:0:7f00:1::"), Some("Teredo (RFC 4380)"));
    }

    #[test]
    fn what_no_registry_names_is_refused_outside_global_unicast() {
        for address in ["4000::1", "1000::1", "8000::1", "e000::1", "200::1"] {
            assert_eq!(why(address), Some("outside global unicast (RFC 4291)"), "{address}");
        }
    }

    #[test]
    fn the_usual_targets_of_request_forgery_are_named() {
        assert_eq!(why("127.0.0.1"), Some("loopback (RFC 1122)"));
        assert_eq!(why("::1"), Some("loopback (RFC 4291)"));
        assert_eq!(why("192.168.1.1"), Some("private use (RFC 1918)"));
        assert_eq!(why("169.254.169.254"), Some("link-local, cloud metadata (RFC 3927)"));
        assert_eq!(why("fd00:ec2::254"), Some("unique local (RFC 4193)"));
        assert_eq!(why("fe80::1"), Some("link-local (RFC 4291)"));
    }
}
