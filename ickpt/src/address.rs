//! Which network addresses a store may have.
//!
//! The allow list names hosts; what a name resolves to is somebody else's to say. So whoever resolves a name checks every address and
//! connects to the one that it checked. A name never leads to this machine or its neighbourhood (loopback, link-local and with it every cloud's
//! metadata address, unspecified, multicast, and the IPv6 forms of all these); private networks are where most stores are, and allowed. An address that
//! stands on the allow list itself may be loopback. Metadata addresses never are allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How the host stood on the allow list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// As an address.
    Address,
    /// As `localhost`.
    Localhost,
    /// As any other name.
    Name,
}

/// Amazon's and others' metadata services on IPv6, which lie in a private network.
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
/// Alibaba's and Oracle's, which are not link-local.
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

/// Whether a store named in this way may be at `address`.
pub fn may_be_store(address: IpAddr, named_by: NamedBy) -> bool {
    let loopback_allowed = named_by != NamedBy::Name;
    match embedded(address) {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            let never = v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || first == 0 || first >= 240;
            !never && !METADATA_V4.contains(&v4) && (loopback_allowed || !v4.is_loopback())
        }
        IpAddr::V6(v6) => {
            let never = v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified();
            !never && !METADATA_V6.contains(&v6) && (loopback_allowed || !v6.is_loopback())
        }
    }
}

/// The IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4), or the address itself.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0 | 1, _, _, _, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn may(text: &str, named_by: NamedBy) -> bool {
        may_be_store(text.parse().unwrap(), named_by)
    }

    #[test]
    fn names_lead_to_networks_only() {
        for text in [
            "10.0.0.7",
            "192.168.1.1",
            "172.16.0.9",
            "93.184.216.34",
            "fd12::1",
            "2a00:1450:4001:82a::200e",
            "64:ff9b::5db8:d822",
        ] {
            assert!(may(text, NamedBy::Name), "{text}");
        }
        for text in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::ffff:0:127.0.0.1",
        ] {
            assert!(!may(text, NamedBy::Name), "{text}");
            assert!(may(text, NamedBy::Address), "{text}");
        }
    }

    #[test]
    fn some_are_never_stores() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
            "240.0.0.1",
        ] {
            for named_by in [NamedBy::Name, NamedBy::Address, NamedBy::Localhost] {
                assert!(!may(text, named_by), "{text}");
            }
        }
    }
}
