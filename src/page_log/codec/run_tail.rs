//! The two ends of an index run: its header, and its tail with the table of segments, the directory of blocks and the filters.
//!
//! Whoever opens a run reads its tail, with one request, and keeps it: from then on every look-up takes one block at most.

use bytes::Bytes;

use super::Damage;
use super::numbers::{Cursor, check_version, checked, put_crc};
use super::page_filter::PageFilter;
use super::segment_ref::SegmentRef;
use crate::page_log::lsn::Lsn;
use crate::page_log::record::Key;

/// First bytes of every run.
const RUN_MAGIC: &[u8; 8] = b"PLSTCRUN";

/// Last bytes of every run.
const RUN_END_MAGIC: &[u8; 8] = b"PLSTCRND";

/// The newest version of the run format, which is the one written.
const RUN_VERSION: u16 = 1;

/// Bytes of the header.
pub(crate) const RUN_HEADER_BYTES: usize = 64;

/// Bytes of the footer.
pub(crate) const RUN_FOOTER_BYTES: usize = 96;

/// Bytes of one block in the directory.
const BLOCK_PLACE_BYTES: usize = 36;

/// Which run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunHeader {
    pub(crate) database: u128,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
}

impl RunHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(RUN_HEADER_BYTES);
        to.extend_from_slice(RUN_MAGIC);
        to.extend_from_slice(&RUN_VERSION.to_le_bytes());
        to.extend_from_slice(&[0; 6]);
        to.extend_from_slice(&self.database.to_le_bytes());
        to.extend_from_slice(&self.epoch.to_le_bytes());
        to.extend_from_slice(&self.number.to_le_bytes());
        to.extend_from_slice(&[0; 12]);
        put_crc(&mut to, 0);
        to
    }

    /// # Errors
    /// [`Damage::Newer`] for a later version, else [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(bytes, 0);
        check_version(&mut cursor, RUN_MAGIC, RUN_VERSION, "an index run")?;
        let header = Cursor::new(bytes, 0).take(RUN_HEADER_BYTES, "the header of a run")?;
        checked(header, 0, "the header of a run")?;
        cursor.zeros(6)?;
        let database = cursor.u128("the database")?;
        let (epoch, number) = (cursor.u64("the epoch")?, cursor.u64("the number")?);
        cursor.zeros(12)?;
        Ok(Self { database, epoch, number })
    }
}

/// Where one block of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockPlace {
    /// The key of its first entry.
    pub(crate) first: Key,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// What stands after the blocks.
#[derive(Debug, Clone)]
pub(crate) struct RunTail {
    pub(crate) segments: Vec<SegmentRef>,
    pub(crate) directory: Vec<BlockPlace>,
    /// As it is stored; decoded by whoever has the memory for it.
    filter: (Bytes, u64),
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    pub(crate) entries: u64,
}

/// What a tail is made of.
#[derive(Debug)]
pub(crate) struct RunTailParts<'a> {
    pub(crate) segments: &'a [SegmentRef],
    pub(crate) directory: &'a [BlockPlace],
    pub(crate) filter: &'a [u8],
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    pub(crate) entries: u64,
}

impl RunTailParts<'_> {
    /// The tail that begins at `at`.
    pub(crate) fn encode(&self, at: u64) -> Vec<u8> {
        let mut to = Vec::new();
        to.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        self.segments.iter().for_each(|segment| segment.encode(&mut to));
        put_crc(&mut to, 0);
        let segments = to.len();
        for BlockPlace { first, offset, length } in self.directory {
            for number in [first.table, first.page, first.lsn.get(), *offset] {
                to.extend_from_slice(&number.to_le_bytes());
            }
            to.extend_from_slice(&length.to_le_bytes());
        }
        put_crc(&mut to, segments);
        let directory = to.len() - segments;
        to.extend_from_slice(self.filter);
        let footer = to.len();
        for number in [
            at,
            segments as u64,
            directory as u64,
            self.filter.len() as u64,
            self.first_lsn.get(),
            self.last_lsn.get(),
            self.entries,
        ] {
            to.extend_from_slice(&number.to_le_bytes());
        }
        to.extend_from_slice(&(self.directory.len() as u32).to_le_bytes());
        to.extend_from_slice(&RUN_VERSION.to_le_bytes());
        to.extend_from_slice(&[0; 22]);
        put_crc(&mut to, footer);
        to.extend_from_slice(RUN_END_MAGIC);
        to
    }
}

impl RunTail {
    /// Reads the tail of a run of `database` that begins at `at`.
    ///
    /// # Errors
    /// [`Damage::Newer`] for a later version, else [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: &Bytes, at: u64, database: u128) -> Result<Self, Damage> {
        let end = at + bytes.len() as u64;
        let wrong = |check: String| Damage::corrupt(at..end, check);
        let (body, footer) = bytes
            .split_last_chunk::<RUN_FOOTER_BYTES>()
            .ok_or_else(|| wrong("it has no room for a footer".to_owned()))?;
        let footer_at = at + body.len() as u64;
        let content = footer
            .strip_suffix(RUN_END_MAGIC)
            .ok_or_else(|| wrong("it does not end with the magic of an index run".to_owned()))?;
        let mut footer = Cursor::new(checked(content, footer_at, "the footer of a run")?, footer_at);
        let mut number = || footer.u64("the footer of a run");
        let (stored_at, segments, directory, filter) = (number()?, number()?, number()?, number()?);
        let (first_lsn, last_lsn, entries) = (Lsn::new(number()?), Lsn::new(number()?), number()?);
        let blocks = footer.u32("the number of blocks")? as usize;
        match footer.u16("the version")? {
            0 => return Err(wrong("version 0 does not exist".to_owned())),
            version if version > RUN_VERSION => return Err(Damage::Newer { version, supported: RUN_VERSION }),
            _ => {}
        }
        footer.zeros(22)?;
        let sum = segments.checked_add(directory).and_then(|sum| sum.checked_add(filter));
        if stored_at != at || sum != Some(body.len() as u64) {
            return Err(wrong(format!("a tail of {} bytes at {at} that says otherwise", bytes.len())));
        }
        let (segments, directory) = (segments as usize, directory as usize);
        let mut sections = Cursor::new(body, at);
        let segments = decode_segments(sections.take(segments, "the segments")?, at, database)?;
        let here = sections.at();
        let directory = decode_directory(sections.take(directory, "the directory")?, here, blocks)?;
        let filter_at = sections.at();
        let filter = bytes.slice(body.len() - sections.left()..body.len());
        Ok(Self { segments, directory, filter: (filter, filter_at), first_lsn, last_lsn, entries })
    }

    /// Bytes of the filters as stored, which is about what they take in memory.
    pub(crate) fn filter_size(&self) -> usize {
        self.filter.0.len()
    }

    /// The filters, in memory of their own.
    ///
    /// # Errors
    /// [`Damage::Corrupt`].
    pub(crate) fn filter(&self) -> Result<PageFilter, Damage> {
        PageFilter::decode(Bytes::copy_from_slice(&self.filter.0), self.filter.1)
    }

    /// Gives up the bytes it was read from.
    pub(crate) fn forget_filter(&mut self) {
        self.filter = (Bytes::new(), 0);
    }
}

fn decode_segments(bytes: &[u8], at: u64, database: u128) -> Result<Vec<SegmentRef>, Damage> {
    let mut cursor = Cursor::new(checked(bytes, at, "the segments of a run")?, at);
    let count = cursor.u32("the number of segments")?;
    let segments = (0..count).map(|_| SegmentRef::decode(&mut cursor, database)).collect::<Result<Vec<_>, _>>()?;
    cursor.end("the segments of a run")?;
    Ok(segments)
}

fn decode_directory(bytes: &[u8], at: u64, blocks: usize) -> Result<Vec<BlockPlace>, Damage> {
    let content = checked(bytes, at, "the directory of a run")?;
    let mut cursor = Cursor::new(content, at);
    if content.len() != blocks.saturating_mul(BLOCK_PLACE_BYTES) {
        return Err(cursor.damage(format!("a directory of {} bytes for {blocks} blocks", content.len())));
    }
    let mut directory: Vec<BlockPlace> = Vec::with_capacity(blocks);
    let mut next = RUN_HEADER_BYTES as u64;
    for _ in 0..blocks {
        let here = cursor.clone();
        let mut number = || cursor.u64("the directory");
        let first = Key::new(number()?, number()?, Lsn::new(number()?));
        let offset = number()?;
        let length = cursor.u32("the directory")?;
        if offset != next || directory.last().is_some_and(|last| last.first >= first) {
            return Err(here.damage("blocks out of order"));
        }
        next = offset.saturating_add(u64::from(length));
        directory.push(BlockPlace { first, offset, length });
    }
    Ok(directory)
}
