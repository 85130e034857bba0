//! Index blocks: entries in the order of their keys, searched without being unpacked.
//!
//! Every sixteenth entry is a restart: it stands by itself, and its place is listed at the end, so that a search is a
//! binary search over the restarts and a walk over at most fifteen entries. The byte table is in `docs/src/formats/page-log.md`. Segments
//! have one block, index runs many.

use bytes::Bytes;

use super::Damage;
use super::index_entry::IndexEntry;
use super::numbers::{Cursor, checked, put_crc};
use crate::page_log::record::Key;

/// Entries from one restart to the next: the longest walk of a search, against the bytes that a restart costs.
const RESTART_ENTRIES: usize = 16;

/// Bytes after the restarts: their number, the number of entries, CRC32C.
const TRAILER_BYTES: usize = 12;

/// Puts a block together; entries are given in order.
#[derive(Debug, Default)]
pub(crate) struct IndexBlockBuilder {
    bytes: Vec<u8>,
    restarts: Vec<u32>,
    entries: u32,
    last: Option<IndexEntry>,
}

impl IndexBlockBuilder {
    pub(crate) fn push(&mut self, entry: &IndexEntry) {
        let restart = (self.entries as usize).is_multiple_of(RESTART_ENTRIES);
        if restart {
            self.restarts.push(self.bytes.len() as u32);
        }
        entry.encode(self.last.as_ref().filter(|_| !restart), &mut self.bytes);
        self.entries += 1;
        self.last = Some(*entry);
    }

    /// Bytes of the block if it ended here.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + 4 * self.restarts.len() + TRAILER_BYTES
    }

    /// The block; the builder begins anew.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let Self { mut bytes, restarts, entries, .. } = std::mem::take(self);
        restarts.iter().for_each(|restart| bytes.extend_from_slice(&restart.to_le_bytes()));
        bytes.extend_from_slice(&(restarts.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&entries.to_le_bytes());
        put_crc(&mut bytes, 0);
        bytes
    }
}

/// A block whose checksum was found right.
#[derive(Debug, Clone)]
pub(crate) struct IndexBlock {
    bytes: Bytes,
    /// Where the block is in its object.
    at: u64,
    entries: usize,
    /// Bytes of all entries.
    end: usize,
    restarts: usize,
}

impl IndexBlock {
    /// Checks the block in `bytes`, which stand at `at` in their object.
    ///
    /// # Errors
    /// [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: Bytes, at: u64) -> Result<Self, Damage> {
        let content = checked(&bytes, at, "an index block")?;
        let wrong = |check: String| Damage::corrupt(at..at + bytes.len() as u64, check);
        let split = content.split_last_chunk::<8>().map(|(rest, numbers)| (rest, u64::from_le_bytes(*numbers)));
        let (rest, numbers) = split.ok_or_else(|| wrong("an index block without a trailer".to_owned()))?;
        let (restarts, entries) = ((numbers as u32) as usize, (numbers >> 32) as usize);
        let end = rest.len().checked_sub(4 * restarts);
        match end {
            Some(end) if restarts == entries.div_ceil(RESTART_ENTRIES) => {
                Ok(Self { bytes, at, entries, end, restarts })
            }
            _ => Err(wrong(format!("an index block of {} bytes with {restarts} restarts", bytes.len()))),
        }
    }

    /// Entries in it.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// Bytes it takes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> IndexIter<'_> {
        self.iter_from_restart(0)
    }

    /// The entries from `key` on.
    ///
    /// # Errors
    /// [`Damage::Corrupt`] for entries that can't be.
    pub(crate) fn seek(&self, key: &Key) -> Result<IndexIter<'_>, Damage> {
        let mut iter = self.iter_from_restart(self.restart_below(key)?);
        loop {
            let here = iter.clone();
            match iter.next().transpose()? {
                Some(entry) if entry.key < *key => {}
                _ => return Ok(here),
            }
        }
    }

    /// The last entry that is not above `key`.
    ///
    /// # Errors
    /// [`Damage::Corrupt`] for entries that can't be.
    pub(crate) fn floor(&self, key: &Key) -> Result<Option<IndexEntry>, Damage> {
        let mut found = None;
        for entry in self.iter_from_restart(self.restart_below(key)?) {
            let entry = entry?;
            if entry.key > *key {
                break;
            }
            found = Some(entry);
        }
        Ok(found)
    }

    /// The last restart whose entry is not above `key`, or the first.
    fn restart_below(&self, key: &Key) -> Result<usize, Damage> {
        let (mut low, mut high) = (0, self.restarts);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.iter_from_restart(middle).next().transpose()? {
                Some(entry) if entry.key <= *key => low = middle,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    fn iter_from_restart(&self, restart: usize) -> IndexIter<'_> {
        let place = self.bytes.get(self.end + 4 * restart..).and_then(|rest| rest.first_chunk());
        let offset = place.map_or(0, |place| u32::from_le_bytes(*place) as usize);
        let entries = self.bytes.get(offset..self.end).unwrap_or_default();
        let index = restart * RESTART_ENTRIES;
        IndexIter { cursor: Cursor::new(entries, self.at + offset as u64), index, entries: self.entries, before: None }
    }
}

/// The entries of a block, in order, each checked as it comes.
#[derive(Debug, Clone)]
pub(crate) struct IndexIter<'a> {
    cursor: Cursor<'a>,
    index: usize,
    entries: usize,
    before: Option<IndexEntry>,
}

impl Iterator for IndexIter<'_> {
    type Item = Result<IndexEntry, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.entries {
            // After the last entry nothing may be left; said once.
            let rest = std::mem::replace(&mut self.cursor, Cursor::new(&[], 0));
            return rest.end("the entries of an index block").err().map(Err);
        }
        let restart = self.index.is_multiple_of(RESTART_ENTRIES);
        let result = IndexEntry::decode(&mut self.cursor, self.before.as_ref().filter(|_| !restart));
        let result = result.and_then(|entry| match &self.before {
            Some(before) if before.key >= entry.key => {
                Err(self.cursor.damage("an index entry that is not above the one before"))
            }
            _ => Ok(entry),
        });
        match result {
            Ok(entry) => {
                self.index += 1;
                self.before = Some(entry);
                Some(Ok(entry))
            }
            Err(damage) => {
                self.index = self.entries;
                self.cursor = Cursor::new(&[], 0);
                Some(Err(damage))
            }
        }
    }
}
