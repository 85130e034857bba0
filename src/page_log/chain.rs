//! What a get gives: the full page, and the deltas on top of it.

use bytes::Bytes;

use super::lsn::Lsn;
use super::record::{PageFlags, Record};

/// One record of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainRecord {
    /// Its LSN.
    pub lsn: Lsn,
    /// The bytes that were put.
    pub bytes: Bytes,
    /// The flags that were put with them.
    pub flags: PageFlags,
}

/// What a get gives: the full page first, then its deltas from oldest to newest; 33 records at the most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chain {
    /// The records; there is one at least.
    pub records: Vec<ChainRecord>,
    /// The LSN of the newest record.
    pub lsn: Lsn,
    /// The newest record's base: none if it is a full page.
    pub base: Lsn,
    /// The newest record's backlink.
    pub backlink: Lsn,
}

impl Chain {
    /// The chain of `records`, newest first.
    pub(crate) fn of(newest: &Record, records: impl Iterator<Item = ChainRecord>) -> Self {
        let mut records: Vec<ChainRecord> = records.collect();
        records.reverse();
        Self { records, lsn: newest.key.lsn, base: newest.base, backlink: newest.backlink }
    }

    /// How many deltas there are.
    pub fn delta_count(&self) -> usize {
        self.records.len().saturating_sub(1)
    }

    /// Bytes of all records together.
    pub fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.bytes.len()).sum()
    }
}

impl From<&Record> for ChainRecord {
    fn from(record: &Record) -> Self {
        Self { lsn: record.key.lsn, bytes: record.payload.clone(), flags: record.flags }
    }
}
