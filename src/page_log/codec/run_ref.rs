//! What is known about an index run from outside: enough to open it with one request.

use super::Damage;
use super::numbers::{Cursor, put_varint};
use crate::page_log::log_object::LogObject;
use crate::page_log::lsn::Lsn;

const LIMITED: u8 = 1;

/// One index run, as the state of a log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRef {
    pub(crate) database: u128,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    pub(crate) first_lsn: Lsn,
    pub(crate) last_lsn: Lsn,
    /// Entries above it were abandoned; [`Lsn::MAX`] if none were.
    pub(crate) limit: Lsn,
    /// Bytes of the whole object.
    pub(crate) size: u64,
    /// Where the tail begins, which reaches to the end.
    pub(crate) tail_offset: u64,
    pub(crate) entries: u64,
}

impl RunRef {
    /// The object's name in the bucket.
    pub fn object_name(&self) -> String {
        LogObject::Run { epoch: self.epoch, number: self.number }.object_name()
    }

    /// The lowest LSN that it speaks of: that of its oldest segment's first record.
    pub fn first_lsn(&self) -> Lsn {
        self.first_lsn
    }

    /// The highest LSN that it speaks of and that was not abandoned.
    pub fn last_lsn(&self) -> Lsn {
        self.last_lsn.min(self.limit)
    }

    /// Bytes of the object.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Page versions in it.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let limited = self.limit < self.last_lsn;
        to.push(if limited { LIMITED } else { 0 });
        for number in [
            self.epoch,
            self.number,
            self.first_lsn.get(),
            self.last_lsn.get().wrapping_sub(self.first_lsn.get()),
            self.size,
            self.tail_offset,
            self.entries,
        ] {
            put_varint(to, number);
        }
        if limited {
            put_varint(to, self.limit.get());
        }
    }

    pub(crate) fn decode(cursor: &mut Cursor<'_>, database: u128) -> Result<Self, Damage> {
        let here = cursor.clone();
        let flags = cursor.u8("the flags of a run")?;
        let (epoch, number) = (cursor.varint("an epoch")?, cursor.varint("a run's number")?);
        let first = cursor.varint("a first LSN")?;
        let last = first.checked_add(cursor.varint("a last LSN")?);
        let last = last.ok_or_else(|| here.damage("a run whose last LSN is above 2^64"))?;
        let (size, tail_offset) = (cursor.varint("a size")?, cursor.varint("the place of a tail")?);
        let entries = cursor.varint("a number of entries")?;
        let limit = if flags & LIMITED == 0 { Lsn::MAX } else { Lsn::new(cursor.varint("a limit")?) };
        let (first_lsn, last_lsn) = (Lsn::new(first), Lsn::new(last));
        let limited_for_nothing = flags & LIMITED != 0 && limit >= last_lsn;
        if tail_offset >= size || first == 0 || limited_for_nothing || flags & !LIMITED != 0 {
            return Err(here.damage(format!("run {number} of epoch {epoch} contradicts itself")));
        }
        Ok(Self { database, epoch, number, first_lsn, last_lsn, limit, size, tail_offset, entries })
    }
}
