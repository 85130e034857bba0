//! HKDF-SHA256 (RFC 5869), for keys that are made of other keys.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use crate::error::Fault;

/// What keys are derived from: a secret, and a salt that sets it apart.
pub(crate) struct Root(Prk);

impl Root {
    pub(crate) fn new(salt: &[u8], secret: &[u8]) -> Self {
        Self(Salt::new(HKDF_SHA256, salt).extract(secret))
    }

    /// Fills `bytes` with what `info`, joined, stands for.
    pub(crate) fn derive(&self, info: &[&[u8]], bytes: &mut [u8]) -> Result<(), Fault> {
        let expanded = self.0.expand(info, Length(bytes.len())).and_then(|okm| okm.fill(bytes));
        expanded.map_err(|_| Fault::Stopped("a key could not be derived".into()))
    }
}

/// Bytes to expand to.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
