//! A name's keys. Only who looks up the name sees them; the tree and the verifiers see a commitment.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::message::Message;
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::{Digest, Error, Result};

/// The most keys of a profile.
pub const MAX_PROFILE_KEYS: usize = 32;
/// The most bytes of one key.
pub const MAX_PROFILE_KEY_BYTES: usize = 16 << 10;

const MAX_APPLICATION_BYTES: usize = 64;
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
const MAX_PROFILE_BYTES: usize = 64 << 10;

/// Public keys by application, and a nonce that hides them in the commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    nonce: Bytes,
    keys: BTreeMap<String, Bytes>,
}

impl Profile {
    /// A profile with `nonce` (16 to 64 random bytes, new for every profile) and these keys.
    ///
    /// # Errors
    /// `Invalid` for what is too much or too short.
    pub fn new(nonce: &[u8], keys: BTreeMap<String, Bytes>) -> Result<Self> {
        let profile = Self { nonce: Bytes::copy_from_slice(nonce), keys };
        profile.check().map_err(|why| Error::Invalid { what: Self::WHAT, why })?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), String> {
        if !NONCE_BYTES.contains(&self.nonce.len()) {
            return Err(format!("its nonce has {} bytes, and needs 16 to 64", self.nonce.len()));
        }
        if self.keys.len() > MAX_PROFILE_KEYS {
            return Err(format!("it has {} keys, of at most {MAX_PROFILE_KEYS}", self.keys.len()));
        }
        for (application, key) in &self.keys {
            if application.is_empty() || application.len() > MAX_APPLICATION_BYTES {
                return Err(format!("an application's name has 1 to {MAX_APPLICATION_BYTES} bytes"));
            }
            if key.len() > MAX_PROFILE_KEY_BYTES {
                return Err(format!("the key for '{application}' has {} bytes, too many", key.len()));
            }
        }
        let size = self.body().len();
        if size > MAX_PROFILE_BYTES {
            return Err(format!("it has {size} bytes, of at most {MAX_PROFILE_BYTES}"));
        }
        Ok(())
    }

    /// The keys by application.
    pub fn keys(&self) -> &BTreeMap<String, Bytes> {
        &self.keys
    }

    /// What the entry has in place of the profile.
    pub fn commitment(&self) -> Digest {
        Domain::Profile.hash(&[&self.body()])
    }
}

impl Message for Profile {
    const WHAT: &'static str = "profile";
    const KIND: u8 = 4;
    const MOST: usize = MAX_PROFILE_BYTES;

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.nonce).count(self.keys.len());
        for (application, key) in &self.keys {
            writer.bytes(application.as_bytes()).bytes(key);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let nonce = Bytes::copy_from_slice(reader.bytes(*NONCE_BYTES.end())?);
        let count = reader.count(MAX_PROFILE_KEYS, 8)?;
        let mut keys = BTreeMap::new();
        for _ in 0..count {
            let application = reader.text(MAX_APPLICATION_BYTES)?;
            if keys.last_key_value().is_some_and(|(last, _)| *last >= application) {
                return Err(reader.fault("applications are not in ascending order"));
            }
            keys.insert(application, Bytes::copy_from_slice(reader.bytes(MAX_PROFILE_KEY_BYTES)?));
        }
        let profile = Self { nonce, keys };
        profile.check().map_err(|why| reader.fault(why))?;
        Ok(profile)
    }
}
