//! The end of a segment: its index block, its trims, and the footer that says where they are.

use bytes::Bytes;

use super::Damage;
use super::index_block::IndexBlock;
use super::numbers::{Cursor, checked, put_crc};
use super::segment_header::SEGMENT_VERSION;
use crate::page_log::lsn::Lsn;

/// Last bytes of every segment.
const FOOTER_MAGIC: &[u8; 8] = b"PLSTCSND";

/// Bytes of the footer.
pub(crate) const FOOTER_BYTES: usize = 64;

/// Bytes of one trim.
const TRIM_BYTES: usize = 24;

/// A table's history given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trim {
    /// The trim's own LSN.
    pub lsn: Lsn,
    /// The table.
    pub table: u64,
    /// The table's records below it are given back.
    pub start: Lsn,
}

impl Trim {
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        for number in [self.lsn.get(), self.table, self.start.get()] {
            to.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Damage> {
        let here = cursor.clone();
        let lsn = Lsn::new(cursor.u64("a trim's LSN")?);
        let table = cursor.u64("a trim's table")?;
        let start = Lsn::new(cursor.u64("where a trim begins")?);
        if start > lsn || lsn.is_none() {
            return Err(here.damage("a trim of its own future"));
        }
        Ok(Self { lsn, table, start })
    }
}

/// Appends `trims` and their checksum, as they stand in segments and states.
pub(crate) fn put_trims(trims: &[Trim], to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(&(trims.len() as u32).to_le_bytes());
    trims.iter().for_each(|trim| trim.encode(to));
    put_crc(to, start);
}

/// Reads what [`put_trims`] wrote.
pub(crate) fn take_trims(cursor: &mut Cursor<'_>) -> Result<Vec<Trim>, Damage> {
    let here = cursor.clone();
    let count = cursor.u32("the number of trims")? as usize;
    let length = count.saturating_mul(TRIM_BYTES).saturating_add(8);
    let mut whole = here.clone();
    let content = checked(whole.take(length, "the trims")?, here.at(), "the trims")?;
    let mut trims = Cursor::new(content, here.at());
    trims.take(4, "the number of trims")?;
    let result = (0..count).map(|_| Trim::decode(&mut trims)).collect::<Result<Vec<_>, _>>()?;
    if !result.is_sorted_by(|one, next| one.lsn < next.lsn) {
        return Err(here.damage("trims out of order"));
    }
    *cursor = whole;
    Ok(result)
}

/// What stands after the records.
#[derive(Debug, Clone)]
pub(crate) struct SegmentTail {
    pub(crate) index: IndexBlock,
    pub(crate) trims: Vec<Trim>,
    pub(crate) footer: SegmentFooter,
}

/// The last bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFooter {
    /// Where the index block begins, bytes.
    pub(crate) index_offset: u64,
    /// Its length; the trims follow.
    pub(crate) index_length: u64,
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    /// Records of all kinds.
    pub(crate) records: u32,
    /// CRC32C of the segment's header, which ties the two ends together.
    pub(crate) header_crc: u32,
}

impl SegmentFooter {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(FOOTER_BYTES);
        for number in [self.index_offset, self.index_length, self.first_lsn.get(), self.last_lsn.get()] {
            to.extend_from_slice(&number.to_le_bytes());
        }
        to.extend_from_slice(&self.records.to_le_bytes());
        to.extend_from_slice(&self.header_crc.to_le_bytes());
        to.extend_from_slice(&SEGMENT_VERSION.to_le_bytes());
        to.extend_from_slice(&[0; 10]);
        put_crc(&mut to, 0);
        to.extend_from_slice(FOOTER_MAGIC);
        to
    }

    /// Reads the footer in the last bytes of a segment, which end at `end`.
    ///
    /// # Errors
    /// [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: &[u8], end: u64) -> Result<Self, Damage> {
        let at = end.saturating_sub(FOOTER_BYTES as u64);
        let wrong = |check: &str| Damage::corrupt(at..end, check);
        let footer = bytes.last_chunk::<FOOTER_BYTES>().ok_or_else(|| wrong("it has no room for a footer"))?;
        let content =
            footer.strip_suffix(FOOTER_MAGIC).ok_or_else(|| wrong("it does not end with a footer's magic"))?;
        let mut cursor = Cursor::new(checked(content, at, "the segment's footer")?, at);
        let (index_offset, index_length) = (cursor.u64("the index")?, cursor.u64("the index")?);
        let (first_lsn, last_lsn) = (Lsn::new(cursor.u64("the LSNs")?), Lsn::new(cursor.u64("the LSNs")?));
        let (records, header_crc) = (cursor.u32("the counts")?, cursor.u32("the header's checksum")?);
        match cursor.u16("the version")? {
            0 => return Err(wrong("version 0 does not exist")),
            version if version > SEGMENT_VERSION => {
                return Err(Damage::Newer { version, supported: SEGMENT_VERSION });
            }
            _ => {}
        }
        cursor.zeros(10)?;
        Ok(Self { index_offset, index_length, first_lsn, last_lsn, records, header_crc })
    }
}

impl SegmentTail {
    /// Reads the tail of a segment that begins at `at`.
    ///
    /// # Errors
    /// [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: &Bytes, at: u64) -> Result<Self, Damage> {
        let end = at + bytes.len() as u64;
        let footer = SegmentFooter::decode(bytes, end)?;
        let wrong = |check: String| Damage::corrupt(at..end, check);
        if footer.index_offset != at {
            return Err(wrong(format!("the index begins at {}, expected at {at}", footer.index_offset)));
        }
        let length = usize::try_from(footer.index_length).unwrap_or(usize::MAX);
        let room = bytes.len() - FOOTER_BYTES;
        if length > room {
            return Err(wrong(format!("an index of {length} bytes where there are {room}")));
        }
        let index = IndexBlock::decode(bytes.slice(..length), at)?;
        let mut cursor = Cursor::new(bytes.get(length..room).unwrap_or_default(), at + length as u64);
        let trims = take_trims(&mut cursor)?;
        cursor.end("the trims")?;
        if index.len() + trims.len() != footer.records as usize {
            return Err(wrong(format!(
                "{} entries and {} trims where the footer counts {}",
                index.len(),
                trims.len(),
                footer.records
            )));
        }
        Ok(Self { index, trims, footer })
    }
}
