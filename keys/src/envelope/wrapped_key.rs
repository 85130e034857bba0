//! Data keys, wrapped by a key-encryption key.
//!
//! What is written is opaque to everybody but the module. The built-in modules all write the format here; its byte table is in
//! `docs/src/formats/envelope.md`.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::binding::Binding;
use super::data_key::DataKey;
use super::secret_key::{KEY_BYTES, SecretKey};
use crate::environment::KeyRandom;
use crate::error::Fault;

/// Most bytes of a wrapped data key; AWS KMS, the longest known, gives up to 6,144.
pub const MAX_WRAPPED_KEY_BYTES: usize = 8_192;

const MAGIC: [u8; 4] = *b"PLWK";
const VERSION: u8 = 1;
/// AES-256-GCM with a random nonce.
const ALGORITHM: u8 = 1;
const NONCE_BYTES: usize = 12;
/// Magic, version, algorithm, two zeros, KEK id.
const HEADER_BYTES: usize = 8 + KekId::BYTES;
const TAG_BYTES: usize = 16;
const WRAPPED_BYTES: usize = HEADER_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// First bytes of the associated data of a wrapped key.
const WRAP_DOMAIN: [u8; 8] = *b"PLSTWRP\x01";

/// A wrapped data key, as it stands in the header of the object it belongs to. Not a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WrappedKey(Bytes);

impl WrappedKey {
    /// Bytes as a module made them or as they were read.
    ///
    /// # Errors
    /// [`Fault::Size`] for none, or more than [`MAX_WRAPPED_KEY_BYTES`].
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, Fault> {
        let bytes = bytes.into();
        if bytes.is_empty() || bytes.len() > MAX_WRAPPED_KEY_BYTES {
            let size = bytes.len() as u64;
            return Err(Fault::Size { what: "a wrapped data key", size, low: 1, high: MAX_WRAPPED_KEY_BYTES as u64 });
        }
        Ok(Self(bytes))
    }

    /// The bytes, to be written: 1 to [`MAX_WRAPPED_KEY_BYTES`] of them.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}

/// The name of a KEK: 16 random bytes. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KekId(pub [u8; Self::BYTES]);

impl KekId {
    /// Its size.
    pub const BYTES: usize = 16;
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekId({self})")
    }
}

/// A key-encryption key in memory, for modules that wrap by AES-256-GCM themselves.
///
/// Wrapping takes a random nonce of 96 bits; one KEK may safely wrap 2^32 data keys, one for each object.
#[derive(Debug)]
pub struct Kek {
    id: KekId,
    key: SecretKey,
}

impl Kek {
    /// A KEK of these parts.
    pub fn new(id: KekId, key: SecretKey) -> Self {
        Self { id, key }
    }

    /// Its name.
    pub fn id(&self) -> KekId {
        self.id
    }

    /// The key itself.
    pub fn secret(&self) -> &SecretKey {
        &self.key
    }

    /// Wraps `key` for the object `binding`.
    ///
    /// # Errors
    /// [`Fault::NoRandomness`].
    pub fn wrap(&self, key: &DataKey, binding: &Binding, random: &dyn KeyRandom) -> Result<WrappedKey, Fault> {
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce)?;
        let mut wrapped = Vec::with_capacity(WRAPPED_BYTES);
        wrapped.extend(MAGIC);
        wrapped.extend([VERSION, ALGORITHM, 0, 0]);
        wrapped.extend(self.id.0);
        let aad = associated(&wrapped, binding);
        wrapped.extend(nonce);
        let mut body = Zeroizing::new(key.expose().to_vec());
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&aad), body.as_mut_slice())
            .map_err(|_| Fault::Stopped("AES-256-GCM refused the data key".into()))?;
        wrapped.extend_from_slice(&body);
        wrapped.extend_from_slice(tag.as_ref());
        WrappedKey::from_bytes(wrapped)
    }

    /// The KEK that wrapped `wrapped`.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for bytes that are no wrapped key, [`Fault::Unsupported`] for a newer version or another algorithm.
    pub fn id_of(wrapped: &WrappedKey) -> Result<KekId, Fault> {
        Ok(Parts::of(wrapped)?.id)
    }

    /// The data key in `wrapped`, which must be wrapped by this KEK for the object `binding`.
    ///
    /// # Errors
    /// As [`Kek::id_of`], and [`Fault::Corrupt`] if it was changed or wrapped for another object.
    pub fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<DataKey, Fault> {
        let parts = Parts::of(wrapped)?;
        let aad = associated(parts.header, binding);
        let mut body = Zeroizing::new(parts.sealed.to_vec());
        let opened = self
            .cipher()?
            .open_in_place(Nonce::assume_unique_for_key(parts.nonce), Aad::from(&aad), body.as_mut_slice())
            .map_err(|_| {
                Fault::corrupt(
                    HEADER_BYTES,
                    "the authentication tag of the wrapped data key does not match: it was changed, or belongs to another object",
                )
            })?;
        let key = SecretKey::from_slice(opened);
        key.map(DataKey::from_secret)
            .ok_or_else(|| Fault::corrupt(HEADER_BYTES, "the wrapped data key has no 32 bytes"))
    }

    fn cipher(&self) -> Result<LessSafeKey, Fault> {
        UnboundKey::new(&AES_256_GCM, self.key.expose())
            .map(LessSafeKey::new)
            .map_err(|_| Fault::Stopped("AES-256-GCM took no key".into()))
    }
}

/// A wrapped key, taken apart.
struct Parts<'a> {
    header: &'a [u8],
    id: KekId,
    nonce: [u8; NONCE_BYTES],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(wrapped: &'a WrappedKey) -> Result<Self, Fault> {
        let bytes: &[u8] = wrapped.as_bytes();
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| short(bytes.len()))?;
        let [m0, m1, m2, m3, version, algorithm, zero, zero2, id @ ..] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(Fault::corrupt(0, "it does not begin with PLWK, so it is no data key wrapped by this module"));
        }
        if version == 0 {
            return Err(Fault::corrupt(4, "the wrapped data key has version 0"));
        }
        if version > VERSION {
            return Err(Fault::Unsupported(format!(
                "the wrapped data key has version {version}, and this program reads up to {VERSION}; use a newer one"
            )));
        }
        if algorithm != ALGORITHM {
            return Err(Fault::corrupt(5, format!("the wrapped data key has the unknown algorithm {algorithm}")));
        }
        if [zero, zero2] != [0, 0] {
            return Err(Fault::corrupt(6, "reserved bytes of the wrapped data key are not zero"));
        }
        let (nonce, sealed) = rest.split_first_chunk().ok_or_else(|| short(bytes.len()))?;
        if bytes.len() != WRAPPED_BYTES {
            return Err(short(bytes.len()));
        }
        Ok(Self { header, id: KekId(id), nonce: *nonce, sealed })
    }
}

fn short(size: usize) -> Fault {
    Fault::corrupt(0, format!("the wrapped data key has {size} bytes, not {WRAPPED_BYTES}"))
}

fn associated(header: &[u8], binding: &Binding) -> Vec<u8> {
    [&WRAP_DOMAIN[..], header, &binding.to_bytes()].concat()
}
