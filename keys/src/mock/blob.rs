//! The mock's blob: which generation of keys is in force. Byte table: `docs/src/formats/key-blobs.md`.

use crate::error::Fault;
use crate::module::MAX_KEY_BLOB_BYTES;

const MAGIC: [u8; 8] = *b"PLSTMOCK";
const VERSION: u32 = 1;
/// Bytes before the padding.
const HEADER_BYTES: usize = 36;
/// Header and checksum.
pub(crate) const MIN_BYTES: usize = HEADER_BYTES + 4;

/// What the blob says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MockBlob {
    /// Number of the key in force, from 1.
    pub(crate) generation: u32,
    /// Seconds since 1970 when it was made.
    pub(crate) created: u64,
    /// Tells seeds apart.
    pub(crate) fingerprint: [u8; 8],
    /// Bytes of the blob, zeros included.
    pub(crate) size: u32,
}

impl MockBlob {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size as usize);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.created.to_le_bytes());
        bytes.extend(self.fingerprint);
        bytes.extend(self.size.to_le_bytes());
        bytes.resize((self.size as usize).max(MIN_BYTES) - 4, 0);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > MAX_KEY_BLOB_BYTES {
            return Err(Fault::corrupt(0, format!("a mock blob of {} bytes", bytes.len())));
        }
        let short = || {
            Fault::corrupt(
                bytes.len(),
                format!("the mock blob ends early: it has {} bytes of at least {MIN_BYTES}", bytes.len()),
            )
        };
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
        let mut rest = body;
        let magic: [u8; 8] = take(&mut rest).ok_or_else(short)?;
        if magic != MAGIC {
            return Err(Fault::corrupt(
                0,
                "it does not begin with PLSTMOCK, so it is no blob of the key module 'mock'",
            ));
        }
        let version = u32::from_le_bytes(take(&mut rest).ok_or_else(short)?);
        let generation = u32::from_le_bytes(take(&mut rest).ok_or_else(short)?);
        let created = u64::from_le_bytes(take(&mut rest).ok_or_else(short)?);
        let fingerprint = take(&mut rest).ok_or_else(short)?;
        let size = u32::from_le_bytes(take(&mut rest).ok_or_else(short)?);
        let (found, stored) = (crc32c::crc32c(body), u32::from_le_bytes(*sum));
        if found != stored {
            return Err(Fault::corrupt(
                body.len(),
                format!("the CRC32C of the mock blob is {found:08x}, and {stored:08x} is written"),
            ));
        }
        if version > VERSION {
            return Err(Fault::Unsupported(format!(
                "the mock blob has version {version}, and this program reads up to {VERSION}; use a newer one"
            )));
        }
        if version == 0 || generation == 0 {
            let (offset, what) = if version == 0 { (8, "version") } else { (12, "generation") };
            return Err(Fault::corrupt(offset, format!("the mock blob has {what} 0")));
        }
        if size as usize != bytes.len() {
            return Err(Fault::corrupt(32, format!("the mock blob says it has {size} bytes, and has {}", bytes.len())));
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Fault::corrupt(HEADER_BYTES, "the padding of the mock blob is not zero"));
        }
        Ok(Self { generation, created, fingerprint, size })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}
