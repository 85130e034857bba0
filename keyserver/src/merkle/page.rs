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

/// A page of the tree. In memory are only the slots that have something in them, and the hashes of its nodes as far as they were needed: who changes
/// one slot computes those on its way alone.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// A bit for each slot that has something.
    occupied: u16,
    /// What those have, in order.
    slots: Vec<Slot>,
    /// Hashes of regions that are nodes, by [`region_number`].
    nodes: Vec<(u8, Digest)>,
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        // Hashes follow from the slots.
        self.occupied == other.occupied && self.slots == other.slots
    }
}

impl Eq for Page {}

/// The number of the region of `length` slots from `from` on: 1 for the whole page, 2 and 3 for its halves, 16 to 31 for its slots.
fn region_number(from: usize, length: usize) -> u8 {
    ((SLOTS + from) / length.max(1)) as u8
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
    /// How many slots before `at` have something.
    fn before(&self, at: usize) -> usize {
        let below = (1_u32 << at.min(SLOTS)) - 1;
        (u32::from(self.occupied) & below).count_ones() as usize
    }

    fn has(&self, at: usize) -> bool {
        at < SLOTS && self.occupied >> at & 1 == 1
    }

    pub(crate) fn slot(&self, at: usize) -> Slot {
        if self.has(at) { self.slots.get(self.before(at)).copied().unwrap_or_default() } else { Slot::Empty }
    }

    pub(crate) fn set(&mut self, at: usize, slot: Slot) {
        let place = self.before(at);
        match (self.has(at), slot) {
            (false, Slot::Empty) => return,
            (true, Slot::Empty) => drop(self.slots.remove(place)),
            (true, _) => self.slots.iter_mut().skip(place).take(1).for_each(|held| *held = slot),
            (false, _) => {
                self.slots.reserve_exact(1);
                self.slots.insert(place, slot);
            }
        }
        let bit = 1 << at;
        self.occupied = if slot == Slot::Empty { self.occupied & !bit } else { self.occupied | bit };
        // All that it is a part of.
        let number = region_number(at, 1);
        self.nodes.retain(|(node, _)| number >> (BITS as u32 - node.ilog2()) != *node);
    }

    /// What is in the `length` slots from `from` on, without the empty ones.
    pub(crate) fn within(&self, from: usize, length: usize) -> &[Slot] {
        self.slots.get(self.before(from)..self.before(from + length)).unwrap_or_default()
    }

    fn known(&self, from: usize, length: usize) -> Option<Region> {
        let number = region_number(from, length);
        self.nodes.iter().find(|(node, _)| *node == number).map(|(_, hash)| Region::Node(*hash))
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
        match self.within(from, length) {
            [] => return Region::Empty,
            [Slot::Leaf { index, value }] => return Region::Leaf { index: *index, value: *value },
            [Slot::Child { hash, .. }] if length == 1 => return Region::Node(*hash),
            _ => {}
        }
        self.known(from, length).unwrap_or_else(|| {
            let half = length / 2;
            let left = self.region(hasher, path, level, from, half);
            let right = self.region(hasher, path, level, from + half, half);
            let depth = level * BITS + BITS - half.trailing_zeros() as usize;
            let left = left.hash(hasher, &in_slot(path, level, from), depth);
            let right = right.hash(hasher, &in_slot(path, level, from + half), depth);
            Region::Node(hasher.node(&left, &right))
        })
    }

    /// What stands in the whole page.
    pub(crate) fn whole(&self, hasher: &TreeHasher, path: &Digest, level: usize) -> Region {
        self.region(hasher, path, level, 0, SLOTS)
    }

    /// What stands in the whole page; the hashes on the way are kept.
    pub(crate) fn learn(&mut self, hasher: &TreeHasher, path: &Digest, level: usize) -> Region {
        for length in [2, 4, 8, SLOTS] {
            for from in (0..SLOTS).step_by(length) {
                if self.within(from, length).is_empty() || self.known(from, length).is_some() {
                    continue;
                }
                if let Region::Node(hash) = self.region(hasher, path, level, from, length) {
                    self.nodes.push((region_number(from, length), hash));
                }
            }
        }
        self.nodes.shrink_to_fit();
        self.whole(hasher, path, level)
    }

    /// The page without the hashes that are kept.
    pub(crate) fn anew(&self) -> Self {
        Self { occupied: self.occupied, slots: self.slots.clone(), nodes: Vec::new() }
    }

    /// Leaves and children.
    pub(crate) fn occupied(&self) -> usize {
        self.slots.len()
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.slots.capacity() * size_of::<Slot>()
            + self.nodes.capacity() * size_of::<(u8, Digest)>()
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let (mut leaves, mut children) = (0_u16, 0_u16);
        for at in 0..SLOTS {
            match self.slot(at) {
                Slot::Empty => {}
                Slot::Leaf { .. } => leaves |= 1 << at,
                Slot::Child { .. } => children |= 1 << at,
            }
        }
        // With room for the checksum, and that of the database.
        let mut writer = Writer::with_capacity(5 + self.slots.len() * 2 * Digest::BYTES + 8);
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
        let occupied = leaves | children;
        let mut slots = Vec::with_capacity(occupied.count_ones() as usize);
        for at in 0..SLOTS {
            if leaves >> at & 1 == 1 {
                slots.push(Slot::Leaf { index: reader.digest()?, value: reader.digest()? });
            } else if children >> at & 1 == 1 {
                slots.push(Slot::Child { page: reader.u64()?, hash: reader.digest()? });
            }
        }
        reader.finish()?;
        Ok(Self { occupied, slots, nodes: Vec::new() })
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
