//! A whole segment: header, records, tail.

use bytes::Bytes;
use plastron_keys::{ObjectCipher, Sealer};

use super::index_block::{IndexBlock, IndexBlockBuilder};
use super::index_entry::IndexEntry;
use super::numbers::Cursor;
use super::record_codec::{Compression, RawRecord, encode_record};
use super::segment_header::{SegmentHeader, SegmentIdentity, WrappedKey};
use super::segment_ref::SegmentRef;
use super::segment_tail::{SegmentFooter, SegmentTail, Trim, put_trims};
use super::{Damage, FOOTER_BYTES};
use crate::page_log::PageLogFault;
use crate::page_log::lsn::Lsn;
use crate::page_log::record::{Record, RecordKind};

/// Payloads shorter than this are copied together into one piece: a piece costs about as much as copying it.
const LONG_PAYLOAD_BYTES: usize = 4 << 10;

/// Bytes at which a piece that short payloads were copied into is closed: it can be on its way then.
const PIECE_BYTES: usize = 256 << 10;

/// A segment that is ready to be uploaded.
#[derive(Debug)]
pub(crate) struct EncodedSegment {
    /// The object's bytes, in pieces.
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) segment: SegmentRef,
    pub(crate) index: IndexBlock,
    pub(crate) trims: Vec<Trim>,
}

/// Encodes a segment record by record, so that it can be done while the segment fills.
pub(crate) struct SegmentEncoder {
    identity: SegmentIdentity,
    first_lsn: Lsn,
    last_lsn: Lsn,
    key: Option<WrappedKey>,
    sealer: Option<Sealer>,
    compression: Compression,
    header_crc: u32,
    pieces: Pieces,
    entries: Vec<IndexEntry>,
    trims: Vec<Trim>,
    records: u32,
}

impl SegmentEncoder {
    /// A segment whose first record has `first_lsn`; `key` is a fresh one and the LSN of the KEK page in force.
    pub(crate) fn new(
        identity: SegmentIdentity,
        first_lsn: Lsn,
        key: Option<(ObjectCipher, Lsn)>,
        compression: Compression,
    ) -> Self {
        let (key, sealer) = match key {
            None => (None, None),
            Some((cipher, kek_lsn)) => {
                (Some(WrappedKey { kek_lsn, bytes: cipher.wrapped.as_bytes().clone() }), Some(cipher.sealer))
            }
        };
        let header = SegmentHeader { identity, first_lsn, key: key.clone() }.encode();
        let header_crc = crc32c::crc32c(&header);
        let pieces = Pieces { done: Vec::new(), open: header, length: 0 };
        let (entries, trims, last_lsn, records) = (Vec::new(), Vec::new(), first_lsn, 0);
        Self { identity, first_lsn, last_lsn, key, sealer, compression, header_crc, pieces, entries, trims, records }
    }

    /// Adds a record, which is above all others.
    ///
    /// # Errors
    /// What the cipher says; [`PageLogFault::Options`] past 2³² records. It can't go on then.
    pub(crate) fn push(&mut self, record: &Record) -> Result<(), PageLogFault> {
        let ordinal = self.records;
        let many = || PageLogFault::Options("a segment of more than 2^32 records".to_owned());
        self.records = ordinal.checked_add(1).ok_or_else(many)?;
        self.last_lsn = record.key.lsn;
        let stored = encode_record(record, ordinal, &mut self.compression, self.sealer.as_mut())?;
        match record.kind {
            RecordKind::Trim => {
                self.trims.push(Trim { lsn: record.key.lsn, table: record.key.table, start: record.base });
            }
            kind => self.entries.push(IndexEntry {
                key: record.key,
                kind,
                backlink: record.backlink,
                base: record.base,
                segment: 0,
                offset: self.pieces.length(),
                length: stored.len() as u32,
            }),
        }
        self.pieces.open.extend_from_slice(&stored.header);
        self.pieces.push(stored.payload);
        Ok(())
    }

    /// The object's pieces from number `from` on that are what they will be.
    pub(crate) fn pieces_from(&self, from: usize) -> Vec<Bytes> {
        self.pieces.done.get(from..).unwrap_or_default().to_vec()
    }

    /// The whole segment.
    ///
    /// # Errors
    /// [`PageLogFault::Options`] for one without a record.
    pub(crate) fn finish(self) -> Result<EncodedSegment, PageLogFault> {
        let Self { identity, first_lsn, last_lsn, key, header_crc, mut pieces, mut entries, trims, records, .. } = self;
        if records == 0 {
            return Err(PageLogFault::Options("a segment needs a record".to_owned()));
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        let mut index = IndexBlockBuilder::default();
        entries.iter().for_each(|entry| index.push(entry));
        let index = Bytes::from(index.finish());
        let index_offset = pieces.length();
        let index_length = index.len() as u64;
        let footer = SegmentFooter { index_offset, index_length, first_lsn, last_lsn, records, header_crc };
        pieces.push(index.clone());
        put_trims(&trims, &mut pieces.open);
        pieces.open.extend_from_slice(&footer.encode());
        let size = pieces.length();
        let segment = SegmentRef { identity, first_lsn, last_lsn, limit: Lsn::MAX, size, index_offset, records, key };
        let object = identity.object_name();
        let index = IndexBlock::decode(index, index_offset).map_err(|damage| PageLogFault::damaged(object, damage))?;
        Ok(EncodedSegment { pieces: pieces.finish(), segment, index, trims })
    }
}

/// Bytes that are put together without copying the long ones.
struct Pieces {
    done: Vec<Bytes>,
    open: Vec<u8>,
    /// Bytes in `done`.
    length: u64,
}

impl Pieces {
    fn length(&self) -> u64 {
        self.length + self.open.len() as u64
    }

    fn push(&mut self, bytes: Bytes) {
        if bytes.len() < LONG_PAYLOAD_BYTES {
            self.open.extend_from_slice(&bytes);
            if self.open.len() >= PIECE_BYTES {
                self.close();
            }
            return;
        }
        self.close();
        self.length += bytes.len() as u64;
        self.done.push(bytes);
    }

    /// Closes the open piece.
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.length += self.open.len() as u64;
            self.done.push(std::mem::take(&mut self.open).into());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.close();
        self.done
    }
}

/// A whole segment as it was read, everything in it checked but the sealed payloads.
#[derive(Debug)]
pub(crate) struct DecodedSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) records: Vec<(u64, RawRecord)>,
    pub(crate) tail: SegmentTail,
}

/// Reads a whole segment and checks that its parts agree.
///
/// # Errors
/// [`Damage::Newer`] for a later version, else [`Damage::Corrupt`].
pub(crate) fn decode_segment(bytes: &Bytes) -> Result<DecodedSegment, Damage> {
    let (header, mut at) = SegmentHeader::decode(bytes)?;
    let size = bytes.len() as u64;
    let footer = SegmentFooter::decode(bytes, size)?;
    let header_crc = crc32c::crc32c(bytes.get(..at).unwrap_or_default());
    if header_crc != footer.header_crc || footer.first_lsn != header.first_lsn {
        return Err(Damage::corrupt(0..size, "the footer is not of the same segment as the header"));
    }
    let end = usize::try_from(footer.index_offset).unwrap_or(usize::MAX);
    if end < at || end > bytes.len().saturating_sub(FOOTER_BYTES) {
        return Err(Damage::corrupt(0..size, format!("an index at {end} in a segment of {size} bytes")));
    }
    let tail = SegmentTail::decode(&bytes.slice(end..), footer.index_offset)?;
    let mut records = Vec::new();
    let mut last = Lsn::NONE;
    while at < end {
        let record = RawRecord::decode(&bytes.slice(at..end), at as u64)?;
        let cursor = Cursor::new(&[], at as u64);
        if record.ordinal() as usize != records.len() {
            return Err(cursor.damage(format!("record {} has the ordinal {}", records.len(), record.ordinal())));
        }
        let (lsn, first) = (record.key().lsn, records.is_empty());
        if lsn <= last || (first && lsn != header.first_lsn) {
            return Err(cursor.damage(format!("a record with LSN {lsn} after {last}")));
        }
        last = lsn;
        let next = at + record.length() as usize;
        records.push((at as u64, record));
        at = next;
    }
    if records.len() != footer.records as usize || last != footer.last_lsn {
        let check = format!("{} records up to LSN {last}, where the footer counts {}", records.len(), footer.records);
        return Err(Damage::corrupt(0..size, check));
    }
    let decoded = DecodedSegment { header, records, tail };
    decoded.check_index()?;
    Ok(decoded)
}

impl DecodedSegment {
    /// Checks that the index and the trims are those of the records.
    fn check_index(&self) -> Result<(), Damage> {
        let (mut expected, mut trims) = (Vec::with_capacity(self.records.len()), Vec::new());
        for (offset, record) in &self.records {
            let (key, kind, length) = (record.key(), record.kind(), record.length());
            let (backlink, base) = (record.backlink(), record.base());
            if kind == RecordKind::Trim {
                trims.push(Trim { lsn: key.lsn, table: key.table, start: base });
            } else {
                expected.push(IndexEntry { key, kind, backlink, base, segment: 0, offset: *offset, length });
            }
        }
        expected.sort_unstable_by_key(|entry| entry.key);
        let mut expected = expected.into_iter();
        for entry in self.tail.index.iter() {
            let entry = entry?;
            if expected.next() != Some(entry) {
                let range = entry.offset..entry.offset + u64::from(entry.length);
                return Err(Damage::corrupt(range, "an index entry that is of no record"));
            }
        }
        let at = self.tail.footer.index_offset;
        if expected.next().is_some() || trims != self.tail.trims {
            return Err(Damage::corrupt(at..at, "the index leaves out a record"));
        }
        Ok(())
    }
}
