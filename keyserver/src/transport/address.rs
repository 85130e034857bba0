//! Where a replica is.

use std::net::{IpAddr, Ipv6Addr};

use crate::{Error, Result};

/// What is spoken at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 with framed messages.
    Http,
    /// gRPC.
    Grpc,
}

/// `host:port`, `http://host:port`, `https://host:port`, `grpc://host:port` or `grpcs://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaAddress {
    host: String,
    port: u16,
    protocol: Protocol,
    secure: bool,
}

impl ReplicaAddress {
    /// The address in `text`.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |why: &str| {
            let why = format!(
                "{text:?} {why}; an address is host:port, with http://, https://, grpc:// or grpcs:// before it"
            );
            Error::Invalid { what: "address of a replica", why }
        };
        let (protocol, secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Protocol::Http, true, rest),
            Some(("http", rest)) => (Protocol::Http, false, rest),
            Some(("grpcs", rest)) => (Protocol::Grpc, true, rest),
            Some(("grpc", rest)) => (Protocol::Grpc, false, rest),
            Some(_) => return Err(invalid("is none of http://, https://, grpc:// and grpcs://")),
            None => (Protocol::Http, false, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| invalid("has no port"))?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| invalid("has no port from 1 to 65535"))?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let right = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(inner) => inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()),
            None => !host.is_empty() && host.bytes().all(is_name),
        };
        if right { Ok(Self { host: host.to_owned(), port, protocol, secure }) } else { Err(invalid("has no host")) }
    }

    /// What is spoken there.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether TLS is spoken there.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is on this machine, so that nobody is in between.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl std::fmt::Display for ReplicaAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match (self.protocol, self.secure) {
            (Protocol::Http, false) => "http",
            (Protocol::Http, true) => "https",
            (Protocol::Grpc, false) => "grpc",
            (Protocol::Grpc, true) => "grpcs",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_mistakes_are_told() {
        for (text, shown, secure, loopback) in [
            ("127.0.0.1:7107", "http://127.0.0.1:7107", false, true),
            ("http://localhost:1/", "http://localhost:1", false, true),
            ("https://[::1]:7107", "https://[::1]:7107", true, true),
            ("grpc://localhost:1", "grpc://localhost:1", false, true),
            ("grpcs://[::1]:7107/", "grpcs://[::1]:7107", true, true),
            ("keys.example.com:7107", "http://keys.example.com:7107", false, false),
            ("https://10.0.0.1:65535", "https://10.0.0.1:65535", true, false),
            // Not what it looks like.
            ("http://127.0.0.1.example.com:80", "http://127.0.0.1.example.com:80", false, false),
        ] {
            let address = ReplicaAddress::parse(text).unwrap();
            assert_eq!((&*address.to_string(), address.is_secure(), address.is_loopback()), (shown, secure, loopback));
        }
        for (text, why) in [
            ("", "has no port"),
            ("https://keys", "has no port"),
            ("keys:0", "from 1 to 65535"),
            ("keys:65536", "from 1 to 65535"),
            ("keys:7107/v1", "from 1 to 65535"),
            (":7107", "has no host"),
            ("user@keys:7107", "has no host"),
            ("::1:7107", "has no host"),
            ("[::1:7107", "has no host"),
            ("ftp://keys:7107", "is none of http://"),
            ("HTTPS://keys:7107", "is none of http://"),
        ] {
            let error = ReplicaAddress::parse(text).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
