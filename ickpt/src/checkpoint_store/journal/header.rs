//! The first block of each of the journal's files: whose it is.

use super::entry::{BLOCK_BYTES, Generation, field};
use crate::error::Fault;
use crate::value::InstanceId;

const MAGIC: &[u8; 8] = b"PLICKJNL";
const VERSION: u16 = 1;
const SUM_AT: usize = BLOCK_BYTES - 4;
/// Where the fields end, and zeros begin.
const FIELDS_BYTES: usize = 48;

/// Whose journal a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Of the database.
    pub(crate) identity: InstanceId,
    /// Of all entries.
    pub(crate) generation: Generation,
    /// Which of the two files: 0 or 1.
    pub(crate) number: u8,
    /// Bytes of the file.
    pub(crate) file_bytes: u32,
}

impl Header {
    /// One block.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[self.number, 0]);
        out.extend_from_slice(&self.file_bytes.to_le_bytes());
        out.extend_from_slice(&self.identity.0.to_le_bytes());
        out.extend_from_slice(&self.generation.0.to_le_bytes());
        out.resize(SUM_AT, 0);
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the first block of a file.
    ///
    /// # Errors
    /// `Corrupt`; `Unsupported` for a later version.
    pub(crate) fn decode(image: &[u8]) -> Result<Self, Fault> {
        let cut = || Fault::corrupt(image.len(), "the journal's header is cut off");
        let block = image.get(..BLOCK_BYTES).ok_or_else(cut)?;
        let (front, sum) = block.split_last_chunk::<4>().ok_or_else(cut)?;
        if !front.starts_with(MAGIC) {
            return Err(Fault::corrupt(0, "this is no journal of checkpoints"));
        }
        let expected = crc32c::crc32c(front);
        if expected.to_le_bytes() != *sum {
            let check = format!("the checksum of the journal's header is {expected:08x}, and another is written");
            return Err(Fault::corrupt(SUM_AT, check));
        }
        let version = u16::from_le_bytes(field(front, 8).ok_or_else(cut)?);
        if version > VERSION {
            return Err(Fault::Unsupported(format!(
                "the journal has version {version}, and this program reads up to {VERSION}; use a newer one"
            )));
        }
        let [number, zero] = field(front, 10).ok_or_else(cut)?;
        let rest = front.get(FIELDS_BYTES..).unwrap_or_default();
        if version == 0 || number > 1 || zero != 0 || rest.iter().any(|byte| *byte != 0) {
            return Err(Fault::corrupt(8, "the journal's header has something that no version writes"));
        }
        Ok(Self {
            identity: InstanceId(u128::from_le_bytes(field(front, 16).ok_or_else(cut)?)),
            generation: Generation(u128::from_le_bytes(field(front, 32).ok_or_else(cut)?)),
            number,
            file_bytes: u32::from_le_bytes(field(front, 12).ok_or_else(cut)?),
        })
    }
}
