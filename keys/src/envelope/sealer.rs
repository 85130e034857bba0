//! Sealing the records of one object, in order.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::binding::{BINDING_BYTES, Binding};
use super::data_key::DataKey;
use crate::error::{Error, Fault, Result};

/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;

/// Most bytes of a record's header that can be associated with its payload.
pub const MAX_ASSOCIATED_BYTES: usize = 256;

/// Most records under one data key: what NIST SP 800-38D (8.3) allows one key to seal.
pub const MAX_RECORDS: u64 = 1 << 32;

/// First bytes of the associated data of a record; the last one is the version.
const RECORD_DOMAIN: [u8; 8] = *b"PLSTREC\x01";

/// Bytes in front of what the caller associates: domain, binding, ordinal.
const PREFIX_BYTES: usize = RECORD_DOMAIN.len() + BINDING_BYTES + 8;

/// Seals the payloads of one object's records, one after the other, under a fresh data key.
///
/// Made by [`crate::KeyManagement::new_cipher`] only. It cannot be cloned and counts for itself, so that no nonce comes twice.
pub struct Sealer {
    cipher: RecordCipher,
    next: u64,
}

/// A record that was sealed in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedRecord {
    /// The record's number in its object, from 0: what [`crate::Opener::open`] must be given.
    pub ordinal: u64,
    /// The authentication tag; write it right behind the payload.
    pub tag: [u8; TAG_BYTES],
}

impl Sealer {
    pub(crate) fn new(binding: Binding, key: &DataKey) -> Result<Self> {
        Ok(Self { cipher: RecordCipher::new(binding, key)?, next: 0 })
    }

    /// The ordinal that the next record will have.
    pub fn next_ordinal(&self) -> u64 {
        self.next
    }

    /// The object it seals for.
    pub fn binding(&self) -> &Binding {
        &self.cipher.binding
    }

    /// Encrypts `payload` in place, and binds it to `associated` (the record's header as it is written; a reader must give the same
    /// bytes). An empty payload is fine and gets a tag too.
    ///
    /// # Errors
    /// `Invalid` for more than [`MAX_ASSOCIATED_BYTES`] of header, or [`MAX_RECORDS`] records; `payload` is left as it was.
    pub fn seal(&mut self, associated: &[u8], payload: &mut [u8]) -> Result<SealedRecord> {
        let ordinal = self.next;
        let failed = |fault| Error::new("seal", format!("record {ordinal} of {}", self.cipher.binding), fault);
        if ordinal >= MAX_RECORDS {
            return Err(failed(Fault::Exhausted(MAX_RECORDS)));
        }
        let tag = self.cipher.seal(ordinal, associated, payload).map_err(failed)?;
        self.next = ordinal + 1;
        Ok(SealedRecord { ordinal, tag })
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({}, next record {})", self.cipher.binding, self.next)
    }
}

/// AES-256-GCM over the records of one object. AWS-LC overwrites the expanded key when it is dropped.
pub(super) struct RecordCipher {
    pub(super) binding: Binding,
    prefix: [u8; BINDING_BYTES],
    key: LessSafeKey,
}

impl RecordCipher {
    pub(super) fn new(binding: Binding, key: &DataKey) -> Result<Self> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.expose())
            .map_err(|_| Error::new("open", binding.to_string(), Fault::Stopped("AES-256-GCM took no key".into())))?;
        Ok(Self { binding, prefix: binding.to_bytes(), key: LessSafeKey::new(unbound) })
    }

    fn seal(&self, ordinal: u64, associated: &[u8], payload: &mut [u8]) -> std::result::Result<[u8; TAG_BYTES], Fault> {
        let aad = self.associated(ordinal, associated)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(ordinal), Aad::from(aad.as_slice()), payload)
            .map_err(|_| Fault::Stopped("AES-256-GCM refused the payload".into()))?;
        tag.as_ref().try_into().map_err(|_| Fault::Stopped("AES-256-GCM gave no tag".into()))
    }

    pub(super) fn open<'a>(
        &self,
        ordinal: u64,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> std::result::Result<&'a mut [u8], Fault> {
        let aad = self.associated(ordinal, associated)?;
        self.key.open_in_place(nonce(ordinal), Aad::from(aad.as_slice()), sealed).map_err(|_| {
            Fault::corrupt(
                0,
                "the authentication tag does not match: the record was changed, or stands in another place than it was written to",
            )
        })
    }

    fn associated(&self, ordinal: u64, associated: &[u8]) -> std::result::Result<AssociatedData, Fault> {
        if associated.len() > MAX_ASSOCIATED_BYTES {
            let size = associated.len() as u64;
            return Err(Fault::Size { what: "associated data", size, low: 0, high: MAX_ASSOCIATED_BYTES as u64 });
        }
        let mut data = AssociatedData { bytes: [0; PREFIX_BYTES + MAX_ASSOCIATED_BYTES], length: 0 };
        for part in [&RECORD_DOMAIN[..], &self.prefix, &ordinal.to_le_bytes(), associated] {
            data.append(part);
        }
        Ok(data)
    }
}

/// Associated data on the stack.
struct AssociatedData {
    bytes: [u8; PREFIX_BYTES + MAX_ASSOCIATED_BYTES],
    length: usize,
}

impl AssociatedData {
    fn append(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(part);
            self.length = end;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Four zero bytes and the ordinal, little-endian.
fn nonce(ordinal: u64) -> Nonce {
    let mut bytes = [0; 12];
    for (to, from) in bytes.iter_mut().skip(4).zip(ordinal.to_le_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}
