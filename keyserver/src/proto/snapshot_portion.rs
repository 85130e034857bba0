//! A part of a replica's database, on its way to a new replica.

use bytes::Bytes;

use super::message::Message;
use crate::Result;
use crate::encoding::{Reader, Writer};

/// Pairs of the database in the order of their keys. A portion without any is the end. Names and profiles are in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotPortion {
    /// Keys and values, as they are in the database.
    pub pairs: Vec<(Bytes, Bytes)>,
}

impl SnapshotPortion {
    /// The most pairs of one.
    pub const MOST_PAIRS: usize = 1024;
    /// A portion ends with the pair that brings it to so many bytes.
    pub const FULL_BYTES: usize = 8 << 20;
}

impl Message for SnapshotPortion {
    const WHAT: &'static str = "portion of a snapshot";
    const KIND: u8 = 22;
    const MOST: usize = 16 << 20;

    fn write(&self, writer: &mut Writer) {
        writer.count(self.pairs.len());
        for (key, value) in &self.pairs {
            writer.bytes(key).bytes(value);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.count(Self::MOST_PAIRS, 8)?;
        let mut pairs: Vec<(Bytes, Bytes)> = Vec::with_capacity(count);
        for _ in 0..count {
            let key = Bytes::copy_from_slice(reader.bytes(Self::MOST)?);
            if pairs.last().is_some_and(|(last, _)| *last >= key) {
                return Err(reader.fault("keys are not in ascending order"));
            }
            pairs.push((key, Bytes::copy_from_slice(reader.bytes(Self::MOST)?)));
        }
        Ok(Self { pairs })
    }
}
