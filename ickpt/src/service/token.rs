//! A caller's token.

use std::fmt;

use zeroize::Zeroizing;

/// The bytes of `X-Auth-Token`. They are wiped when it is dropped, never shown, and kept no longer than the call. (What the network's
/// buffers hold of it meanwhile is beyond our reach.)
#[derive(Clone)]
pub struct Token(Zeroizing<Vec<u8>>);

impl Token {
    /// Copies a header's bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The header to be sent to the store, marked as a secret. None if it can't be a header.
    pub fn header(&self) -> Option<http::HeaderValue> {
        let mut value = http::HeaderValue::from_bytes(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
