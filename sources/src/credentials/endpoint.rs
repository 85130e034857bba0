//! A service's URL, checked.
//!
//! `object_store` panics on an endpoint that is not a URL, glues buckets to it as text, and knows nothing of credentials pasted
//! into one. So every endpoint, whichever option or variable it came from, goes through [`Endpoint::parse`] first. An endpoint that
//! does not parse is never repeated in the message: what was pasted there may be a key or a connection string.

use std::fmt;

use url::{Host, Url};

use crate::error::Fault;

/// An `http` or `https` URL with a host, perhaps a port and a path, and nothing else; it never ends in a slash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Reads `text`, which was found in the option or variable `origin`.
    ///
    /// Fails with [`Fault::Config`], which names `origin` and never repeats `text`.
    pub(crate) fn parse(origin: &str, text: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| Fault::Config(format!("{origin}: {why}"));
        let shape = "write it like https://storage.example.com or http://127.0.0.1:9000";
        let mut url = Url::parse(text).map_err(|error| wrong(&format!("not a URL ({error}); {shape}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(&format!("the scheme must be http or https; {shape}")));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong(&format!("there is no host; {shape}")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it must not hold a user name or password; credentials go into auth_token"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it must end with the host, port or path: nothing after a ? or # is used"));
        }
        if text.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || byte == b'\\') {
            return Err(wrong("it holds a blank, a control character or a backslash"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { url })
    }

    /// The URL without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Whether it is plain `http`: no encryption.
    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The host's name or address.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The path below the host, without slashes at its ends; empty for none.
    pub(crate) fn path(&self) -> &str {
        self.url.path().trim_matches('/')
    }

    /// Whether the host is an address rather than a name, so that nothing can be put in front of it.
    pub(crate) fn is_address(&self) -> bool {
        !matches!(self.url.host(), Some(Host::Domain(_)))
    }

    /// Whether the host is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// `https://host/path` with `bucket` as one more path segment.
    pub(crate) fn with_segment(&self, bucket: &str) -> String {
        format!("{}/{bucket}", self.as_str())
    }

    /// `https://bucket.host/path`; `None` if the host is an address.
    pub(crate) fn with_subdomain(&self, bucket: &str) -> Option<String> {
        let mut url = self.url.clone();
        let Some(Host::Domain(name)) = self.url.host() else { return None };
        url.set_host(Some(&format!("{bucket}.{name}"))).ok()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn good_ones() {
        for (text, shown, plain) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", true),
            ("http://127.0.0.1:9000///", "http://127.0.0.1:9000", true),
            ("https://s3.example.com/", "https://s3.example.com", false),
            ("https://example.com/storage/v1/", "https://example.com/storage/v1", false),
            ("HTTPS://S3.Example.COM", "https://s3.example.com", false),
            ("http://[::1]:9000", "http://[::1]:9000", true),
            ("https://bücher.example", "https://xn--bcher-kva.example", false),
        ] {
            let endpoint = Endpoint::parse("endpoint", text).expect(text);
            assert_eq!((endpoint.as_str(), endpoint.is_plain()), (shown, plain), "{text}");
        }
    }

    #[test]
    fn bad_ones_name_the_origin_and_repeat_nothing() {
        let shape = "write it like https://storage.example.com or http://127.0.0.1:9000";
        for (text, message) in [
            ("", format!("E: not a URL (relative URL without a base); {shape}")),
            ("hunter2", format!("E: not a URL (relative URL without a base); {shape}")),
            ("hunter2:9000", format!("E: the scheme must be http or https; {shape}")),
            ("ftp://hunter2", format!("E: the scheme must be http or https; {shape}")),
            ("s3://hunter2", format!("E: the scheme must be http or https; {shape}")),
            ("http://", format!("E: not a URL (empty host); {shape}")),
            ("http://hunter2:99999", format!("E: not a URL (invalid port number); {shape}")),
            ("https://[hunter2", format!("E: not a URL (invalid IPv6 address); {shape}")),
            (
                "https://hunter2@example.com",
                "E: it must not hold a user name or password; credentials go into auth_token".to_owned(),
            ),
            (
                "https://:hunter2@example.com",
                "E: it must not hold a user name or password; credentials go into auth_token".to_owned(),
            ),
            (
                "https://example.com/?sig=hunter2",
                "E: it must end with the host, port or path: nothing after a ? or # is used".to_owned(),
            ),
            (
                "https://example.com/#hunter2",
                "E: it must end with the host, port or path: nothing after a ? or # is used".to_owned(),
            ),
            (" https://example.com/hunter2", "E: it holds a blank, a control character or a backslash".to_owned()),
            ("https://exam\tple.com/hunter2", "E: it holds a blank, a control character or a backslash".to_owned()),
            ("https:\\\\example.com\\hunter2", "E: it holds a blank, a control character or a backslash".to_owned()),
        ] {
            let fault = Endpoint::parse("E", text).expect_err(text);
            assert_eq!(fault.to_string(), message, "{text}");
            assert!(!format!("{fault:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn buckets_in_front_and_behind() {
        let named = Endpoint::parse("endpoint", "http://s3.example.com:8333/base").unwrap();
        assert_eq!(named.with_segment("pages"), "http://s3.example.com:8333/base/pages");
        assert_eq!(named.with_subdomain("pages").as_deref(), Some("http://pages.s3.example.com:8333/base"));
        let address = Endpoint::parse("endpoint", "http://127.0.0.1:8333").unwrap();
        assert!(address.is_address());
        assert_eq!(address.with_segment("pages"), "http://127.0.0.1:8333/pages");
        assert_eq!(address.with_subdomain("pages"), None);
    }

    #[test]
    fn this_machine() {
        for (text, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost:10000", true),
            ("http://account.localhost", true),
            ("http://localhost.example", false),
            ("http://10.0.0.1", false),
            ("https://example.com", false),
        ] {
            assert_eq!(Endpoint::parse("endpoint", text).unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
