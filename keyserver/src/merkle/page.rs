//! Four levels of the tree, as they are stored.
//!
//! A page at level *n* stands for the first 4*n* bits of an index, and has sixteen slots for the next four. Nothing in between is stored: it follows
//! from the slots. Byte table: `docs/src/formats/keyserver.md`.

use super::hasher::TreeHasher;
use crate::encoding::{Reader, Writer};
use crate::{Digest, Error, Result};

/// The number under which a page is stored. Numbers are given out in order and never again.
pub type PageId = u64;

/// Slots of a page.
pub(crate) const SLOTS: usize = 16;
/// Levels of the binary tree in a page.
pub(crate) const BITS: usize = 4;
/// The deepest level at which a page can stand.
pub(crate) const MAX_LEVEL: usize = 63;

const WHAT: &str = "tree page";
const VERSION: u8 = 1;

/// What one slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// One leaf.
    Leaf { index: Digest, value: Digest },
    /// Two leaves or more, in a page of their own.
    Child { page: PageId, hash: Digest },
}

/// A page of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    slots: [Slot; SLOTS],
}

/// What a part of a page amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Region {
    Empty,
    /// Alone in its region, whatever its size.
    Leaf {
        index: Digest,
        value: Digest,
    },
    Node(Digest),
}

impl Region {
    /// The hash of the region that stands at the first `depth` bits of `path`.
    pub(crate) fn hash(&self, hasher: &TreeHasher, path: &Digest, depth: usize) -> Digest {
        match self {
            Self::Empty => hasher.empty(path, depth),
            Self::Leaf { index, value } => hasher.leaf(index, value),
            Self::Node(hash) => *hash,
        }
    }
}

impl Page {
    pub(crate) fn slot(&self, at: usize) -> Slot {
        self.slots.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, at: usize, slot: Slot) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }

    pub(crate) fn slots(&self) -> &[Slot; SLOTS] {
        &self.slots
    }

    /// What the `length` slots from `from` on amount to; `path` has the page's own bits, `level` is the page's.
    pub(crate) fn region(
        &self,
        hasher: &TreeHasher,
        path: &Digest,
        level: usize,
        from: usize,
        length: usize,
    ) -> Region {
        if length <= 1 {
            return match self.slot(from) {
                Slot::Empty => Region::Empty,
                Slot::Leaf { index, value } => Region::Leaf { index, value },
                Slot::Child { hash, .. } => Region::Node(hash),
            };
        }
        let half = length / 2;
        let left = self.region(hasher, path, level, from, half);
        let right = self.region(hasher, path, level, from + half, half);
        match (left, right) {
            (Region::Empty, Region::Empty) => Region::Empty,
            (leaf @ Region::Leaf { .. }, Region::Empty) | (Region::Empty, leaf @ Region::Leaf { .. }) => leaf,
            (left, right) => {
                let depth = level * BITS + BITS - half.trailing_zeros() as usize;
                let left = left.hash(hasher, &in_slot(path, level, from), depth);
                let right = right.hash(hasher, &in_slot(path, level, from + half), depth);
                Region::Node(hasher.node(&left, &right))
            }
        }
    }

    /// What stands in the whole page.
    pub(crate) fn whole(&self, hasher: &TreeHasher, path: &Digest, level: usize) -> Region {
        self.region(hasher, path, level, 0, SLOTS)
    }

    /// Leaves and children.
    pub(crate) fn occupied(&self) -> usize {
        self.slots.iter().filter(|slot| **slot != Slot::Empty).count()
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let (mut leaves, mut children) = (0_u16, 0_u16);
        for (at, slot) in self.slots.iter().enumerate() {
            match slot {
                Slot::Empty => {}
                Slot::Leaf { .. } => leaves |= 1 << at,
                Slot::Child { .. } => children |= 1 << at,
            }
        }
        let mut writer = Writer::new();
        writer.u8(VERSION).u16(leaves).u16(children);
        for slot in &self.slots {
            match slot {
                Slot::Empty => {}
                Slot::Leaf { index, value } => {
                    writer.digest(index).digest(value);
                }
                Slot::Child { page, hash } => {
                    writer.u64(*page).digest(hash);
                }
            }
        }
        let mut bytes = writer.finish();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    /// The page from its bytes.
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` for a version that is newer.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let (body, sum) = bytes.split_at(bytes.len().saturating_sub(4));
        let mut reader = Reader::new(WHAT, body);
        let version = reader.u8()?;
        if version > VERSION {
            return Err(Error::Unsupported { what: WHAT, version, known: VERSION });
        }
        if version != VERSION || sum != crc32c::crc32c(body).to_be_bytes() {
            return Err(reader.fault("version or checksum is wrong"));
        }
        let (leaves, children) = (reader.u16()?, reader.u16()?);
        if leaves & children != 0 {
            return Err(reader.fault("a slot is both leaf and page"));
        }
        let mut page = Self::default();
        for (at, slot) in page.slots.iter_mut().enumerate() {
            if leaves >> at & 1 == 1 {
                *slot = Slot::Leaf { index: reader.digest()?, value: reader.digest()? };
            } else if children >> at & 1 == 1 {
                *slot = Slot::Child { page: reader.u64()?, hash: reader.digest()? };
            }
        }
        reader.finish()?;
        Ok(page)
    }
}

/// `path` with the nibble at `level` set to `slot`, and nothing after it.
pub(crate) fn in_slot(path: &Digest, level: usize, slot: usize) -> Digest {
    let mut out = path.prefix(level * BITS);
    if let Some(byte) = out.0.get_mut(level / 2) {
        *byte |= (slot as u8) << if level.is_multiple_of(2) { 4 } else { 0 };
    }
    out
}
