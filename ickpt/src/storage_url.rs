//! The address of an object in a store, as it stands in `X-Storage-Url`, and the key that it is.
//!
//! The URL says which checkpoint is meant, so there must be one way to write it: what follows `://`, with the host in lower case and without the
//! scheme's own port. Nothing else is made equal. A URL with two readings is refused: with userinfo, query, fragment, backslash,
//! a dot segment, a byte that is not visible ASCII, or a host that only some programs take for an address (`127.1`, `2130706433`, `0x7f000001`).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::address::NamedBy;
use crate::refusal::{Reason, Refusal};

/// Bytes of a URL.
pub const MAX_STORAGE_URL_BYTES: usize = 4096;
/// Bytes of a host name, by RFC 1035.
const MAX_HOST_BYTES: usize = 253;

/// How a store is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The scheme's own port.
    pub const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// Scheme, host and port of a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Name or address in lower case; an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Origin {
    /// Reads `http[s]://host[:port]`, with a slash behind it or not.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (origin, rest) = split(text)?;
        if rest.is_empty() || rest == "/" { Ok(origin) } else { Err("an origin has no path".to_owned()) }
    }

    /// `host[:port]` as it stands in keys and in the `Host` header: a scheme's own port is left out.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }

    /// Appends [`authority`](Self::authority).
    pub(crate) fn write_authority(&self, out: &mut Vec<u8>) {
        let is_v6 = self.host.contains(':');
        out.extend_from_slice(if is_v6 { b"[" } else { b"" });
        out.extend_from_slice(self.host.as_bytes());
        out.extend_from_slice(if is_v6 { b"]" } else { b"" });
        if self.port != self.scheme.port() {
            out.push(b':');
            out.extend_from_slice(self.port.to_string().as_bytes());
        }
    }

    /// In which way the host is named.
    pub fn named_by(&self) -> NamedBy {
        let is_address = self.host.parse::<Ipv4Addr>().is_ok() || self.host.parse::<Ipv6Addr>().is_ok();
        match is_address {
            true => NamedBy::Address,
            false if self.host == "localhost" => NamedBy::Localhost,
            false => NamedBy::Name,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// The address of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StorageUrl {
    origin: Origin,
    path: String,
}

impl StorageUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_STORAGE_URL_BYTES {
            return Err(format!("it has {} bytes; it can have {MAX_STORAGE_URL_BYTES} at the most", text.len()));
        }
        let (origin, path) = split(text)?;
        if path.len() < 2 {
            return Err("it names no object".to_owned());
        }
        let dotted = |segment: &str| {
            // As long as two dots, each of which may be written with three bytes.
            segment.len() <= 6 && matches!(segment.replace("%2e", ".").replace("%2E", ".").as_str(), "." | "..")
        };
        if path.split('/').any(dotted) {
            return Err("it has a segment '.' or '..'".to_owned());
        }
        Ok(Self { origin, path: path.to_owned() })
    }

    /// As [`parse`](Self::parse), of a header's bytes.
    ///
    /// # Errors
    /// [`Reason::StorageUrl`].
    pub fn from_header(value: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(value).map_err(|_| "it is not ASCII".to_owned());
        text.and_then(Self::parse).map_err(|what| {
            let message = format!("X-Storage-Url can't be used: {what}; give http[s]://host[:port]/path of the object");
            Refusal::new(Reason::StorageUrl, message)
        })
    }

    /// The store.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The object's path in the store, with its slash in front, as it was written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the checkpoint is kept under.
    pub fn key(&self) -> String {
        format!("{}{}", self.origin.authority(), self.path)
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// The origin, and what stands behind it.
fn split(text: &str) -> Result<(Origin, &str), String> {
    if let Some(odd) = text.bytes().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("it has the byte {odd:#04x}, which is not visible ASCII"));
    }
    if let Some(odd) = text.chars().find(|c| matches!(c, '?' | '#' | '\\')) {
        return Err(format!("it has a '{odd}'"));
    }
    let (scheme, rest) = text.split_once("://").ok_or("it does not begin with http:// or https://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err("it does not begin with http:// or https://".to_owned()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("it has user information".to_owned());
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (inside, after) = inner.split_once(']').ok_or("its IPv6 address has no ']'")?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':').ok_or("something stands behind its ']'")?),
            };
            (ipv6(inside)?, port)
        }
        None => {
            let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            (name(host)?, port)
        }
    };
    let port = match port {
        None => scheme.port(),
        Some(digits) => {
            let plain = digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0');
            digits.parse().ok().filter(|_| plain).ok_or("its port is no number from 1 to 65535")?
        }
    };
    Ok((Origin { scheme, host, port }, path))
}

fn ipv6(text: &str) -> Result<String, String> {
    let address: Ipv6Addr = text.parse().map_err(|_| "its IPv6 address can't be read")?;
    let plain = address.to_string();
    if plain.eq_ignore_ascii_case(text) { Ok(plain) } else { Err(format!("its IPv6 address is written {plain}")) }
}

/// A name, or an IPv4 address in its one plain form.
fn name(host: &str) -> Result<String, String> {
    let host = host.to_ascii_lowercase();
    if host.parse::<Ipv4Addr>().is_ok() {
        return Ok(host);
    }
    let label = |label: &str| {
        let inner = label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.len() > MAX_HOST_BYTES || !host.split('.').all(label) {
        return Err("its host is neither a name nor an address".to_owned());
    }
    // What a resolver of the C library would take for an IPv4 address: its last part is a number, also octal or hexadecimal.
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|c| c.is_ascii_digit()) {
        return Err("its host is an address that is not written plainly".to_owned());
    }
    Ok(host)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn one_key_for_one_object() {
        for (text, key) in [
            ("http://swift/v1/AUTH_a/c/o", "swift/v1/AUTH_a/c/o"),
            ("HTTP://SWIFT.Example.ORG:80/v1/A", "swift.example.org/v1/A"),
            ("https://swift:443/v1", "swift/v1"),
            ("https://swift:80/v1", "swift:80/v1"),
            ("http://127.0.0.1:8080/a%20b", "127.0.0.1:8080/a%20b"),
            ("http://[::1]:8080/a", "[::1]:8080/a"),
            ("http://[FD12::A]/a", "[fd12::a]/a"),
            ("http://s/a//b/", "s/a//b/"),
        ] {
            let url = StorageUrl::parse(text).unwrap();
            assert_eq!(url.key(), key);
            let mut authority = Vec::new();
            url.origin().write_authority(&mut authority);
            assert_eq!(authority, url.origin().authority().as_bytes());
            assert_eq!(StorageUrl::parse(&url.to_string()).unwrap(), url);
        }
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for text in [
            "",
            "swift/v1",
            "ftp://s/a",
            "http:/s/a",
            "http://",
            "http:///a",
            "http://s",
            "http://s/",
            "http://u@s/a",
            "http://u:p@s/a",
            "http://s/a?b",
            "http://s/a#b",
            "http://s\\@t/a",
            "http://s/a b",
            "http://s/a\r\nX: y",
            "http://s/\u{e9}",
            "http://s:/a",
            "http://s:0/a",
            "http://s:080/a",
            "http://s:65536/a",
            "http://s:+80/a",
            "http://127.1/a",
            "http://2130706433/a",
            "http://0x7f000001/a",
            "http://0177.0.0.1/a",
            "http://0x7f.1/a",
            "http://127.0.0.1./a",
            "http://s./a",
            "http://.s/a",
            "http://a..b/a",
            "http://-a/a",
            "http://[::1/a",
            "http://[::1]x/a",
            "http://[::ffff:7f00:1]/a",
            "http://[0:0:0:0:0:0:0:1]/a",
            "http://[fe80::1%25eth0]/a",
            "http://[127.0.0.1]/a",
            "http://s/a/../b",
            "http://s/./b",
            "http://s/a/%2e%2E/b",
            "http://s/..",
            "http://s%2ft/a",
        ] {
            assert!(StorageUrl::parse(text).is_err(), "{text}");
        }
        assert!(StorageUrl::parse(&format!("http://s/{}", "a".repeat(MAX_STORAGE_URL_BYTES))).is_err());
    }
}
