//! What the database says about the journal. It changes in the same transaction as the records that were moved.

use super::entry::{Generation, field};

const MAGIC: &[u8; 8] = b"PLICKJS1";

/// What the database says about the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct JournalState {
    /// Of all entries that count.
    pub(in super::super) generation: Generation,
    /// What the database contained when the journal was begun.
    pub(in super::super) base: u64,
    /// The last entry whose records are in the database, with all before it.
    pub(in super::super) contained: u64,
    /// Whether both files are there. Before that nothing was written to them, so they are made anew.
    pub(in super::super) begun: bool,
}

impl JournalState {
    pub(in super::super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.generation.0.to_le_bytes());
        bytes.extend_from_slice(&self.base.to_le_bytes());
        bytes.extend_from_slice(&self.contained.to_le_bytes());
        bytes.push(u8::from(self.begun));
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// None for anything that `encode` did not make.
    pub(in super::super) fn decode(bytes: &[u8]) -> Option<Self> {
        let state = Self {
            generation: Generation(u128::from_le_bytes(field(bytes, 8)?)),
            base: u64::from_le_bytes(field(bytes, 24)?),
            contained: u64::from_le_bytes(field(bytes, 32)?),
            begun: field(bytes, 40)? == [1],
        };
        (state.encode() == bytes).then_some(state)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn it_has_one_form() {
        let state = JournalState { generation: Generation(7 << 100), base: 3, contained: 5, begun: true };
        let bytes = state.encode();
        assert_eq!(JournalState::decode(&bytes), Some(state));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                assert_eq!(JournalState::decode(&bytes), None, "byte {at}, bit {bit}");
            }
        }
        assert_eq!(JournalState::decode(&bytes[..44]), None);
    }
}
