//! What is known about a segment from outside: enough to read any record of it with one request.

use bytes::Bytes;
use plastron_keys::MAX_WRAPPED_KEY_BYTES;

use super::Damage;
use super::numbers::{Cursor, put_varint};
use super::segment_header::{SegmentIdentity, WrappedKey};
use crate::page_log::lsn::Lsn;

const SEALED: u8 = 1;
const LIMITED: u8 = 2;

/// One segment, as the state of a log and the table of an index run know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRef {
    pub(crate) identity: SegmentIdentity,
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    /// Records above it were abandoned; [`Lsn::MAX`] if none were.
    pub(crate) limit: Lsn,
    /// Bytes of the whole object.
    pub(crate) size: u64,
    /// Where the index begins, which reaches to the end.
    pub(crate) index_offset: u64,
    pub(crate) records: u32,
    pub(crate) key: Option<WrappedKey>,
}

impl SegmentRef {
    /// The object's name in the bucket.
    pub fn object_name(&self) -> String {
        self.identity.object_name()
    }

    /// The epoch of its writer.
    pub fn epoch(&self) -> u64 {
        self.identity.epoch
    }

    /// Its number.
    pub fn sequence(&self) -> u64 {
        self.identity.sequence
    }

    /// The LSN of its first record.
    pub fn first_lsn(&self) -> Lsn {
        self.first_lsn
    }

    /// The LSN of its last record that was not abandoned.
    pub fn last_lsn(&self) -> Lsn {
        self.last_lsn.min(self.limit)
    }

    /// Bytes of the object.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The KEK page that its key is wrapped under; none for a segment in the clear, and for modules that keep their keys elsewhere.
    pub fn kek_lsn(&self) -> Lsn {
        self.key.as_ref().map_or(Lsn::NONE, |key| key.kek_lsn)
    }

    /// Appends it. The database is said by what it stands in.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let limited = self.limit < self.last_lsn;
        to.push(if self.key.is_some() { SEALED } else { 0 } | if limited { LIMITED } else { 0 });
        for number in [
            self.identity.epoch,
            self.identity.sequence,
            self.first_lsn.get(),
            self.last_lsn.get().wrapping_sub(self.first_lsn.get()),
            self.size,
            self.index_offset,
            u64::from(self.records),
        ] {
            put_varint(to, number);
        }
        if limited {
            put_varint(to, self.limit.get());
        }
        if let Some(key) = &self.key {
            put_varint(to, key.kek_lsn.get());
            put_varint(to, key.bytes.len() as u64);
            to.extend_from_slice(&key.bytes);
        }
    }

    /// Reads one of `database`.
    pub(crate) fn decode(cursor: &mut Cursor<'_>, database: u128) -> Result<Self, Damage> {
        let here = cursor.clone();
        let flags = cursor.u8("the flags of a segment")?;
        if flags & !(SEALED | LIMITED) != 0 {
            return Err(here.damage(format!("a segment with the unknown flags {flags:08b}")));
        }
        let (epoch, sequence) = (cursor.varint("an epoch")?, cursor.varint("a sequence")?);
        let first = cursor.varint("a first LSN")?;
        let last = first.checked_add(cursor.varint("a last LSN")?);
        let last = last.ok_or_else(|| here.damage("a segment whose last LSN is above 2^64"))?;
        let (size, index_offset) = (cursor.varint("a size")?, cursor.varint("the place of an index")?);
        let records = u32::try_from(cursor.varint("a number of records")?);
        let records = records.map_err(|_| here.damage("a segment of more than 2^32 records"))?;
        let limit = if flags & LIMITED == 0 { Lsn::MAX } else { Lsn::new(cursor.varint("a limit")?) };
        let key = match flags & SEALED {
            0 => None,
            _ => {
                let kek_lsn = Lsn::new(cursor.varint("a KEK LSN")?);
                let length = usize::try_from(cursor.varint("a wrapped key's length")?).unwrap_or(usize::MAX);
                if length > MAX_WRAPPED_KEY_BYTES {
                    return Err(here.damage(format!("a wrapped key of {length} bytes")));
                }
                Some(WrappedKey { kek_lsn, bytes: Bytes::copy_from_slice(cursor.take(length, "a wrapped key")?) })
            }
        };
        let (first_lsn, last_lsn) = (Lsn::new(first), Lsn::new(last));
        let limited_for_nothing = flags & LIMITED != 0 && limit >= last_lsn;
        if index_offset >= size || first == 0 || limited_for_nothing {
            return Err(here.damage(format!("segment {sequence} of epoch {epoch} contradicts itself")));
        }
        let identity = SegmentIdentity { database, epoch, sequence };
        Ok(Self { identity, first_lsn, last_lsn, limit, size, index_offset, records, key })
    }
}
