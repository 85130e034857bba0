//! The format of a cache file: one block of one object, with everything needed to know that it is the right one and undamaged.
//!
//! The byte table is in `docs/src/formats/cache-files.md`. Every bit of a file is covered: header fields and padding by the header's
//! CRC32C, data by one CRC32C for each chunk of 32 KiB, so that a small read verifies a small part; and the length is exact.
//!
//! A header's length follows from the identity and the data's length alone. A reader knows both, so it gets header and data with
//! one system call.

use std::ops::Range;

use crate::object_id::ObjectId;

/// First bytes of every file.
pub(crate) const MAGIC: [u8; 8] = *b"PLSTCBLK";

/// The version this program writes, and the only one there is.
pub(crate) const VERSION: u16 = 1;

/// Bytes before the variable part.
const FIXED_BYTES: usize = 64;

/// Headers are a multiple of this, so that data stays aligned to cache lines in the page cache and copies fast.
const ALIGN_BYTES: usize = 64;

/// The base-2 logarithm of a chunk's size: a checksum for every 32 KiB, which is verified in about 1.5 µs.
const CHUNK_SHIFT: u32 = 15;

/// The longest address, name or etag of an object that is cached on disk, bytes.
pub(crate) const LONGEST_PART_BYTES: usize = 4096;

/// What is wrong with a cache file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockFault {
    /// Too short to be one.
    #[error("truncated")]
    Truncated,
    /// Longer than it says.
    #[error("longer than it should be")]
    TooLong,
    /// Does not begin as it should.
    #[error("not a cache file")]
    Magic,
    /// Written by a later version.
    #[error("format version {0}, which this program does not know")]
    Version(u16),
    /// The header's bytes do not match their checksum.
    #[error("header checksum: expected {expected:08x}, found {found:08x}")]
    HeaderChecksum {
        /// What the header says.
        expected: u32,
        /// What its bytes give.
        found: u32,
    },
    /// The header contradicts itself.
    #[error("impossible header: {0}")]
    Header(&'static str),
    /// A sound file of another block or object.
    #[error("it holds another block")]
    OtherBlock,
    /// Data that does not match its checksum.
    #[error("checksum of chunk {chunk}: expected {expected:08x}, found {found:08x}")]
    DataChecksum {
        /// Which chunk of 32 KiB.
        chunk: usize,
        /// What the header says.
        expected: u32,
        /// What the bytes give.
        found: u32,
    },
}

/// A decoded header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockHeader<'a> {
    /// Where the bucket is.
    pub address: &'a str,
    /// The object's name.
    pub name: &'a str,
    /// Its etag.
    pub etag: &'a str,
    /// Its size, bytes.
    pub object_size: u64,
    /// The digest in the file's name.
    pub digest: u128,
    /// The base-2 logarithm of the block size.
    pub block_shift: u32,
    /// The block's place in the object.
    pub block: u64,
    /// Bytes of data.
    pub data_bytes: usize,
    /// Bytes before the data.
    pub header_bytes: usize,
    /// CRC32Cs of the chunks, little-endian.
    checksums: &'a [u8],
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn text(bytes: &[u8], range: Range<usize>) -> Result<&str, BlockFault> {
    let bytes = bytes.get(range).ok_or(BlockFault::Header("its parts are longer than itself"))?;
    std::str::from_utf8(bytes).map_err(|_| BlockFault::Header("a name is not UTF-8"))
}

/// Bytes of the header of a block of `data_bytes` whose identity has `identity_bytes` in all.
pub(crate) fn header_bytes(identity_bytes: usize, data_bytes: usize) -> usize {
    let checksums = 4 * data_bytes.div_ceil(1 << CHUNK_SHIFT);
    (FIXED_BYTES + identity_bytes + checksums + 4).next_multiple_of(ALIGN_BYTES)
}

/// Bytes of address, name and etag of `id` together.
pub(crate) fn identity_bytes(id: &ObjectId) -> usize {
    id.address().len() + id.name().len() + id.etag().len()
}

/// The chunks that cover `within`, as bytes of the block.
pub(crate) fn chunks_around(within: &Range<usize>, data_bytes: usize) -> Range<usize> {
    let chunk = 1 << CHUNK_SHIFT;
    within.start - within.start % chunk..within.end.next_multiple_of(chunk).min(data_bytes)
}

/// The header of block `block` of `id`, which has `digest` with this block size and holds `data`.
pub(crate) fn encode_header(id: &ObjectId, digest: u128, block_shift: u32, block: u64, data: &[u8]) -> Vec<u8> {
    let header_bytes = header_bytes(identity_bytes(id), data.len());
    let chunks = data.chunks(1 << CHUNK_SHIFT);
    let mut header = Vec::with_capacity(header_bytes);
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend([block_shift as u8, CHUNK_SHIFT as u8]);
    header.extend((header_bytes as u32).to_le_bytes());
    header.extend((data.len() as u32).to_le_bytes());
    for part in [id.address(), id.name(), id.etag()] {
        header.extend((part.len() as u16).to_le_bytes());
    }
    header.extend(0u16.to_le_bytes());
    header.extend((chunks.len() as u32).to_le_bytes());
    header.extend(id.size().to_le_bytes());
    header.extend(block.to_le_bytes());
    header.extend(digest.to_le_bytes());
    for part in [id.address(), id.name(), id.etag()] {
        header.extend(part.as_bytes());
    }
    for chunk in chunks {
        header.extend(crc32c::crc32c(chunk).to_le_bytes());
    }
    header.resize(header_bytes - 4, 0);
    let checksum = crc32c::crc32c(&header);
    header.extend(checksum.to_le_bytes());
    header
}

impl<'a> BlockHeader<'a> {
    /// Decodes the header at the beginning of `bytes` and verifies its checksum; what follows it is ignored.
    ///
    /// # Errors
    /// A [`BlockFault`] that says which check failed. No input makes it panic or allocate.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BlockFault> {
        if !bytes.starts_with(&MAGIC) {
            return Err(if MAGIC.starts_with(bytes) { BlockFault::Truncated } else { BlockFault::Magic });
        }
        let version = u16_at(bytes, 8).ok_or(BlockFault::Truncated)?;
        if version != VERSION {
            return Err(BlockFault::Version(version));
        }
        let header_bytes = u32_at(bytes, 12).ok_or(BlockFault::Truncated)? as usize;
        if header_bytes < FIXED_BYTES + 4 || !header_bytes.is_multiple_of(ALIGN_BYTES) {
            return Err(BlockFault::Header("its length"));
        }
        let covered = bytes.get(..header_bytes - 4).ok_or(BlockFault::Truncated)?;
        let expected = u32_at(bytes, header_bytes - 4).ok_or(BlockFault::Truncated)?;
        let found = crc32c::crc32c(covered);
        if found != expected {
            return Err(BlockFault::HeaderChecksum { expected, found });
        }
        Self::fields(covered, header_bytes)
    }

    /// What a header with a good checksum says; another program may have made the checksum, so nothing is taken for granted.
    fn fields(covered: &'a [u8], header_bytes: usize) -> Result<Self, BlockFault> {
        let short = BlockFault::Truncated;
        let [block_shift, chunk_shift] = u16_at(covered, 10).ok_or(short.clone())?.to_le_bytes().map(u32::from);
        if !(12..=24).contains(&block_shift) || chunk_shift != CHUNK_SHIFT {
            return Err(BlockFault::Header("block or chunk size"));
        }
        let data_bytes = u32_at(covered, 16).ok_or(short.clone())? as usize;
        if data_bytes == 0 || data_bytes > 1 << block_shift {
            return Err(BlockFault::Header("length of the data"));
        }
        let mut lengths = [0; 3];
        for (length, at) in lengths.iter_mut().zip([20, 22, 24]) {
            *length = usize::from(u16_at(covered, at).ok_or(short.clone())?);
        }
        let [address, name, etag] = lengths;
        let checksums = 4 * data_bytes.div_ceil(1 << CHUNK_SHIFT);
        let (names, tail) = (FIXED_BYTES, FIXED_BYTES + address + name + etag);
        let consistent = u16_at(covered, 26) == Some(0)
            && u32_at(covered, 28) == Some(checksums as u32 / 4)
            && header_bytes == self::header_bytes(address + name + etag, data_bytes);
        if !consistent {
            return Err(BlockFault::Header("lengths of its parts"));
        }
        if covered.get(tail + checksums..).is_none_or(|padding| padding.iter().any(|byte| *byte != 0)) {
            return Err(BlockFault::Header("padding"));
        }
        let digest = covered.get(48..).and_then(|bytes| bytes.first_chunk()).ok_or(short.clone())?;
        Ok(Self {
            address: text(covered, names..names + address)?,
            name: text(covered, names + address..names + address + name)?,
            etag: text(covered, names + address + name..tail)?,
            object_size: u64_at(covered, 32).ok_or(short.clone())?,
            digest: u128::from_le_bytes(*digest),
            block_shift,
            block: u64_at(covered, 40).ok_or(short.clone())?,
            data_bytes,
            header_bytes,
            checksums: covered.get(tail..tail + checksums).ok_or(short)?,
        })
    }

    /// Whether this is block `block` of `id`.
    pub(crate) fn is(&self, id: &ObjectId, digest: u128, block_shift: u32, block: u64, data_bytes: usize) -> bool {
        self.block == block
            && self.digest == digest
            && self.block_shift == block_shift
            && self.data_bytes == data_bytes
            && self.object_size == id.size()
            && self.address == id.address()
            && self.name == id.name()
            && self.etag == id.etag()
    }

    /// Verifies `data`, which begins at chunk boundary `start` of the block and ends at one or at the block's end.
    pub(crate) fn verify(&self, start: usize, data: &[u8]) -> Result<(), BlockFault> {
        let first = start >> CHUNK_SHIFT;
        let checksums = self.checksums.get(4 * first..).unwrap_or_default();
        let (expected, _) = checksums.as_chunks::<4>();
        if data.len().div_ceil(1 << CHUNK_SHIFT) > expected.len() {
            return Err(BlockFault::TooLong);
        }
        for ((place, chunk), expected) in data.chunks(1 << CHUNK_SHIFT).enumerate().zip(expected) {
            let (expected, found) = (u32::from_le_bytes(*expected), crc32c::crc32c(chunk));
            if expected != found {
                return Err(BlockFault::DataChecksum { chunk: first + place, expected, found });
            }
        }
        Ok(())
    }
}

/// Decodes a whole cache file and verifies every byte of it; returns its header and its data.
///
/// # Errors
/// A [`BlockFault`] that says which check failed. No input makes it panic or allocate.
pub fn decode_block_file(file: &[u8]) -> Result<(BlockHeader<'_>, &[u8]), BlockFault> {
    let header = BlockHeader::decode(file)?;
    let data = file.get(header.header_bytes..).ok_or(BlockFault::Truncated)?;
    if data.len() != header.data_bytes {
        return Err(if data.len() < header.data_bytes { BlockFault::Truncated } else { BlockFault::TooLong });
    }
    header.verify(0, data)?;
    Ok((header, data))
}

#[cfg(test)]
#[path = "block_file_test.rs"]
mod tests;
