//! The header of a segment: whose it is, and the key that its records are sealed with, wrapped.

use bytes::Bytes;
use plastron_keys::{Binding, MAX_WRAPPED_KEY_BYTES};

use super::Damage;
use super::numbers::{Cursor, check_version, checked, put_crc};
use crate::page_log::log_object::LogObject;
use crate::page_log::lsn::Lsn;

/// First bytes of every segment.
pub(crate) const SEGMENT_MAGIC: &[u8; 8] = b"PLSTCSEG";

/// The newest version of the segment format, which is the one written.
pub(crate) const SEGMENT_VERSION: u16 = 1;

/// Bytes of a header besides the wrapped key.
const FIXED_BYTES: usize = 76;

const SEALED: u16 = 1;

/// Who wrote a segment and which one it is: together never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SegmentIdentity {
    /// The database, 128 random bits.
    pub(crate) database: u128,
    /// The writer's epoch.
    pub(crate) epoch: u64,
    /// Its number, which goes on across epochs.
    pub(crate) sequence: u64,
}

impl SegmentIdentity {
    /// What its data key and its records are bound to.
    pub(crate) fn binding(&self) -> Binding {
        Binding::segment(self.database.to_le_bytes(), self.epoch, self.sequence)
    }

    /// The object's name.
    pub(crate) fn object_name(&self) -> String {
        LogObject::Segment { epoch: self.epoch, sequence: self.sequence }.object_name()
    }
}

/// The key of one segment, wrapped by the key-management module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    /// LSN of the KEK page that it is wrapped under; none if the module keeps its keys elsewhere.
    pub(crate) kek_lsn: Lsn,
    /// What the module made of it.
    pub(crate) bytes: Bytes,
}

/// What stands before the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) identity: SegmentIdentity,
    pub(crate) first_lsn: Lsn,
    /// None for records in the clear.
    pub(crate) key: Option<WrappedKey>,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let wrapped = self.key.as_ref().map_or(&[][..], |key| &key.bytes);
        let length = FIXED_BYTES + wrapped.len();
        let mut to = Vec::with_capacity(length);
        to.extend_from_slice(SEGMENT_MAGIC);
        to.extend_from_slice(&SEGMENT_VERSION.to_le_bytes());
        to.extend_from_slice(&if self.key.is_some() { SEALED } else { 0 }.to_le_bytes());
        to.extend_from_slice(&(length as u32).to_le_bytes());
        to.extend_from_slice(&self.identity.database.to_le_bytes());
        to.extend_from_slice(&self.identity.epoch.to_le_bytes());
        to.extend_from_slice(&self.identity.sequence.to_le_bytes());
        to.extend_from_slice(&self.first_lsn.get().to_le_bytes());
        to.extend_from_slice(&self.key.as_ref().map_or(0, |key| key.kek_lsn.get()).to_le_bytes());
        to.extend_from_slice(&[0; 4]);
        to.extend_from_slice(&(wrapped.len() as u32).to_le_bytes());
        to.extend_from_slice(wrapped);
        put_crc(&mut to, 0);
        to
    }

    /// Reads the header at the beginning of `bytes`, and says how long it is.
    ///
    /// # Errors
    /// [`Damage::Newer`] for a later version, else [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let mut cursor = Cursor::new(bytes, 0);
        check_version(&mut cursor, SEGMENT_MAGIC, SEGMENT_VERSION, "a segment")?;
        let flags = cursor.u16("the flags")?;
        let length = cursor.u32("the header's length")? as usize;
        if !(FIXED_BYTES..=FIXED_BYTES + MAX_WRAPPED_KEY_BYTES).contains(&length) || flags & !SEALED != 0 {
            return Err(cursor.damage(format!("a header of {length} bytes with flags {flags:04x}")));
        }
        let content = checked(Cursor::new(bytes, 0).take(length, "the header")?, 0, "the segment's header")?;
        let mut cursor = Cursor::new(content, 0);
        cursor.take(16, "the header")?;
        let database = cursor.u128("the database")?;
        let (epoch, sequence) = (cursor.u64("the epoch")?, cursor.u64("the sequence")?);
        let first_lsn = Lsn::new(cursor.u64("the first LSN")?);
        let kek_lsn = Lsn::new(cursor.u64("the KEK LSN")?);
        cursor.zeros(4)?;
        let wrapped = cursor.u32("the wrapped key's length")? as usize;
        let bytes = Bytes::copy_from_slice(cursor.take(wrapped, "the wrapped key")?);
        cursor.end("the wrapped key")?;
        let key = match flags & SEALED {
            0 if bytes.is_empty() && kek_lsn.is_none() => None,
            0 => return Err(cursor.damage("a wrapped key in a segment that is not sealed")),
            _ => Some(WrappedKey { kek_lsn, bytes }),
        };
        Ok((Self { identity: SegmentIdentity { database, epoch, sequence }, first_lsn, key }, length))
    }
}
