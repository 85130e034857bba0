//! One batch of records in the journal: how it is written, and how it is told from whatever else may lie there.
//!
//! By SHA-256: values come from callers, and a caller can make a value of which parts may be missing without a change of its CRC.

use std::ops::Range;

use aws_lc_rs::digest::{SHA256, digest};

use crate::error::Fault;
use crate::storage_url::MAX_STORAGE_URL_BYTES;

/// Entries begin at multiples of it and take multiples of it: what a page cache writes at a time, and no sector of a disk is larger.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes of an entry, so that few are in memory at a time; the largest record fits several times.
pub(crate) const MAX_ENTRY_BYTES: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"PLICKJEN";
const HEADER_BYTES: usize = 44;
/// Of one record: the lengths of its key and of itself.
const LENGTHS_BYTES: usize = 6;
/// SHA-256.
const SUM_BYTES: usize = 32;
/// Bytes of a key.
const MAX_KEY_BYTES: usize = MAX_STORAGE_URL_BYTES * 2;

/// Which beginning of the journal an entry belongs to; drawn at random.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) u128);

impl std::fmt::Debug for Generation {
    /// Callers who knew it could make values that look like entries, so it is shown nowhere.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Generation(…)")
    }
}

/// Makes entries, one after the other, in the same memory.
#[derive(Debug)]
pub(crate) struct EntryWriter {
    bytes: Vec<u8>,
    records: u32,
    most: usize,
}

impl EntryWriter {
    /// For entries of at most `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: vec![0; HEADER_BYTES], records: 0, most: most.min(MAX_ENTRY_BYTES) / BLOCK_BYTES * BLOCK_BYTES }
    }

    /// Adds a record. False if there is no room for it, or if its key is too long; then nothing was added.
    pub(crate) fn push(&mut self, key: &[u8], record: &[u8]) -> bool {
        let end = self.bytes.len() + LENGTHS_BYTES + key.len() + record.len() + SUM_BYTES;
        if end > self.most || key.len() > MAX_KEY_BYTES {
            return false;
        }
        self.bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(record);
        self.records += 1;
        true
    }

    /// Bytes of the entry as it is now.
    pub(crate) fn len(&self) -> usize {
        (self.bytes.len() + SUM_BYTES).next_multiple_of(BLOCK_BYTES)
    }

    /// The entry.
    pub(crate) fn finish(&mut self, generation: Generation, sequence: u64) -> &[u8] {
        let length = self.len();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&generation.0.to_le_bytes());
        header.extend_from_slice(&sequence.to_le_bytes());
        // At most MAX_ENTRY_BYTES.
        header.extend_from_slice(&(length as u32).to_le_bytes());
        header.extend_from_slice(&self.records.to_le_bytes());
        header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
        for (byte, new) in self.bytes.iter_mut().zip(header) {
            *byte = new;
        }
        self.bytes.resize(length - SUM_BYTES, 0);
        let sum = digest(&SHA256, &self.bytes);
        self.bytes.extend_from_slice(sum.as_ref());
        &self.bytes
    }

    /// Begins the next one.
    #[cfg(any(test, feature = "service"))]
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.records = 0;
    }
}

/// A key and its record.
type Pair<'a> = (&'a [u8], &'a [u8]);

/// An entry whose checksums are right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    bytes: &'a [u8],
    pub(crate) sequence: u64,
    records: u32,
}

impl<'a> Frame<'a> {
    /// The entry of `generation` that begins at `offset`. None if there is none: nothing was written there, or not all, or it is damaged.
    pub(crate) fn at(image: &'a [u8], offset: usize, generation: Generation) -> Option<Self> {
        let header = image.get(offset..)?.get(..HEADER_BYTES)?;
        let (fields, sum) = header.split_last_chunk::<4>()?;
        if !fields.starts_with(MAGIC) || crc32c::crc32c(fields).to_le_bytes() != *sum {
            return None;
        }
        let found = Generation(u128::from_le_bytes(field(fields, 8)?));
        let length = u32::from_le_bytes(field(fields, 32)?) as usize;
        let fits = (BLOCK_BYTES..=MAX_ENTRY_BYTES).contains(&length) && length.is_multiple_of(BLOCK_BYTES);
        if found != generation || !fits {
            return None;
        }
        let bytes = image.get(offset..)?.get(..length)?;
        let (front, sum) = bytes.split_last_chunk::<SUM_BYTES>()?;
        let (sequence, records) = (u64::from_le_bytes(field(fields, 24)?), u32::from_le_bytes(field(fields, 36)?));
        (digest(&SHA256, front).as_ref() == sum).then_some(Self { bytes, sequence, records })
    }

    /// Bytes of the entry.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Keys and records, in the order in which they were written.
    ///
    /// # Errors
    /// `Corrupt`, counted from the beginning of the entry: its checksum is right, so this was written so.
    pub(crate) fn records(&self) -> Result<Vec<Pair<'a>>, Fault> {
        let end = self.bytes.len().saturating_sub(SUM_BYTES);
        let (mut at, mut records) = (HEADER_BYTES, Vec::new());
        let cut = |at: usize| Fault::corrupt(at, "a record of the journal's entry is cut off");
        let part = |range: Range<usize>| self.bytes.get(..end).and_then(|bytes| bytes.get(range));
        for _ in 0..self.records {
            let lengths = part(at..at + LENGTHS_BYTES).ok_or_else(|| cut(at))?;
            let key_bytes = usize::from(u16::from_le_bytes(field(lengths, 0).ok_or_else(|| cut(at))?));
            let record_bytes = u32::from_le_bytes(field(lengths, 2).ok_or_else(|| cut(at))?) as usize;
            if key_bytes > MAX_KEY_BYTES || record_bytes > MAX_ENTRY_BYTES {
                return Err(Fault::corrupt(at, "a length is above its limit"));
            }
            let (key_at, record_at) = (at + LENGTHS_BYTES, at + LENGTHS_BYTES + key_bytes);
            let key = part(key_at..record_at).ok_or_else(|| cut(key_at))?;
            let record = part(record_at..record_at + record_bytes).ok_or_else(|| cut(record_at))?;
            records.push((key, record));
            at = record_at + record_bytes;
        }
        let padding = part(at..end).unwrap_or_default();
        if records.is_empty() || padding.len() >= BLOCK_BYTES || padding.iter().any(|byte| *byte != 0) {
            return Err(Fault::corrupt(at, "the journal's entry has no records, or something behind them"));
        }
        Ok(records)
    }
}

/// `N` bytes at `offset`.
pub(super) fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
