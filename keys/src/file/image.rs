//! The keyring as it is written: its fields, with the keys still wrapped. Byte table: `docs/src/formats/key-blobs.md`.
//!
//! Invariant: of one image there is one encoding. Keys stand in order of generation and id, and no two are the same.

use crate::envelope::{KEY_BYTES, KekId, TAG_BYTES};
use crate::error::Fault;

const MAGIC: [u8; 8] = *b"PLSTKEYR";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 96;
const ENTRY_BYTES: usize = 32;
/// Header, one key, tag, checksum.
pub(crate) const MIN_BYTES: usize = HEADER_BYTES + ENTRY_BYTES + KEY_BYTES + TAG_BYTES + 4;

/// Most keys of a keyring, so that its blob stays well below its limit: 640 KB.
pub(crate) const MAX_KEYS: usize = 10_000;

/// Most memory that a keyring may ask for to derive its master key, KiB: 1 GiB.
pub(crate) const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_ITERATIONS: u32 = 100;
const MAX_LANES: u32 = 16;

/// How the master key comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kdf {
    /// It is 32 random bytes.
    Key,
    /// It is derived from a passphrase by Argon2id, version 0x13.
    Argon2id { memory_kib: u32, iterations: u32, lanes: u32, salt: [u8; 16] },
}

/// What is known of one key without the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Its number, from 1. Two keys share one if two machines made them at the same time.
    pub(crate) generation: u32,
    pub(crate) id: KekId,
    /// Milliseconds since 1970.
    pub(crate) created_ms: u64,
}

/// A keyring's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyringImage {
    pub(crate) kdf: Kdf,
    /// Random; tells keyrings apart.
    pub(crate) id: [u8; 16],
    /// Grows by one with every change.
    pub(crate) revision: u64,
    /// Tells whether a master key fits, before anything is opened with it.
    pub(crate) check: [u8; 16],
    pub(crate) nonce: [u8; 12],
    pub(crate) entries: Vec<Entry>,
    /// The keys, in the order of the entries, and the tag.
    pub(crate) sealed: Vec<u8>,
}

impl KeyringImage {
    /// Everything in front of the wrapped keys: what they are bound to.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.entries.len() * ENTRY_BYTES);
        let (kind, memory_kib, iterations, lanes, salt) = match self.kdf {
            Kdf::Key => (0, 0, 0, 0, [0; 16]),
            Kdf::Argon2id { memory_kib, iterations, lanes, salt } => (1, memory_kib, iterations, lanes, salt),
        };
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([kind, 0]);
        bytes.extend(memory_kib.to_le_bytes());
        bytes.extend(iterations.to_le_bytes());
        bytes.extend(lanes.to_le_bytes());
        bytes.extend(salt);
        bytes.extend(self.id);
        bytes.extend(self.revision.to_le_bytes());
        bytes.extend(self.check);
        bytes.extend(self.nonce);
        bytes.extend((self.entries.len() as u32).to_le_bytes());
        for entry in &self.entries {
            bytes.extend(entry.id.0);
            bytes.extend(entry.generation.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(entry.created_ms.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.sealed);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let size = bytes.len();
        let (body, stored) = match bytes.split_last_chunk::<4>() {
            Some((body, stored)) if size >= MIN_BYTES => (body, u32::from_le_bytes(*stored)),
            _ => {
                return Err(Fault::corrupt(
                    size,
                    format!("the keyring ends early: it has {size} bytes of at least {MIN_BYTES}"),
                ));
            }
        };
        let mut reader = Reader { rest: body, size: body.len() };
        if reader.take()? != MAGIC {
            return Err(Fault::corrupt(0, "it does not begin with PLSTKEYR, so it is no keyring"));
        }
        let found = crc32c::crc32c(body);
        if found != stored {
            let check = format!("the CRC32C of the keyring is {found:08x}, and {stored:08x} is written");
            return Err(Fault::corrupt(body.len(), check));
        }
        match u16::from_le_bytes(reader.take()?) {
            VERSION => {}
            0 => return Err(Fault::corrupt(8, "the keyring has version 0")),
            version => {
                return Err(Fault::Unsupported(format!(
                    "the keyring has version {version}, and this program reads up to {VERSION}; use a newer one"
                )));
            }
        }
        let kdf = reader.kdf()?;
        let id = reader.take()?;
        let revision = u64::from_le_bytes(reader.take()?);
        if revision == 0 {
            return Err(Fault::corrupt(56, "the keyring has revision 0"));
        }
        let (check, nonce) = (reader.take()?, reader.take()?);
        let count = reader.u32()? as usize;
        let expected = HEADER_BYTES + count.saturating_mul(ENTRY_BYTES + KEY_BYTES) + TAG_BYTES + 4;
        if count == 0 || count > MAX_KEYS || expected != size {
            let check =
                format!("a keyring of {count} keys (1 to {MAX_KEYS}) has {expected} bytes, and this one has {size}");
            return Err(Fault::corrupt(92, check));
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let at = reader.at();
            let entry = reader.entry()?;
            if entries.last().is_some_and(|last| (last.generation, last.id) >= (entry.generation, entry.id)) {
                return Err(Fault::corrupt(at, "the keys of the keyring are not in order"));
            }
            entries.push(entry);
        }
        Ok(Self { kdf, id, revision, check, nonce, entries, sealed: reader.rest.to_vec() })
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    size: usize,
}

impl Reader<'_> {
    fn at(&self) -> usize {
        self.size - self.rest.len()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or_else(|| Fault::corrupt(self.size, "the keyring ends early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.take().map(u32::from_le_bytes)
    }

    fn kdf(&mut self) -> Result<Kdf, Fault> {
        let [kind, zero] = self.take()?;
        let (memory_kib, iterations, lanes, salt) = (self.u32()?, self.u32()?, self.u32()?, self.take()?);
        if zero != 0 {
            return Err(Fault::corrupt(11, "a reserved byte of the keyring is not zero"));
        }
        match kind {
            0 if (memory_kib, iterations, lanes, salt) == (0, 0, 0, [0; 16]) => Ok(Kdf::Key),
            0 => Err(Fault::corrupt(12, "a keyring with a master key has parameters of a passphrase")),
            1 => {
                let lowest = lanes.saturating_mul(8).max(8);
                let fits = (lowest..=MAX_MEMORY_KIB).contains(&memory_kib)
                    && (1..=MAX_ITERATIONS).contains(&iterations)
                    && (1..=MAX_LANES).contains(&lanes);
                if fits {
                    return Ok(Kdf::Argon2id { memory_kib, iterations, lanes, salt });
                }
                let check = format!(
                    "Argon2id with {memory_kib} KiB, {iterations} iterations and {lanes} lanes is out of bounds"
                );
                Err(Fault::corrupt(12, check))
            }
            kind => Err(Fault::corrupt(10, format!("the keyring has the unknown kind of master key {kind}"))),
        }
    }

    fn entry(&mut self) -> Result<Entry, Fault> {
        let id = KekId(self.take()?);
        let at = self.at();
        let (generation, zero) = (self.u32()?, self.u32()?);
        if generation == 0 || zero != 0 {
            return Err(Fault::corrupt(
                at,
                "a key of the keyring has generation 0, or reserved bytes that are not zero",
            ));
        }
        Ok(Entry { generation, id, created_ms: u64::from_le_bytes(self.take()?) })
    }
}
