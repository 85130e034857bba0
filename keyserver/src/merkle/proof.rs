//! Proofs that an index has a digest in a tree, or none.
//!
//! A proof has the siblings on the way from the top to the place where the index stands or would stand, and what is at that place. Of one tree and
//! index there is one proof, and one encoding of it, so that any flipped bit is a fault. Byte table: `docs/src/formats/keyserver.md`.

use super::hasher::TreeHasher;
use crate::encoding::{Reader, Writer};
use crate::{Digest, Result};

const MAX_DEPTH: usize = 256;

/// What stands where the index leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// The index itself. Its digest is not in the proof: who checks it knows it.
    Present,
    /// Nothing: the index is absent.
    Empty,
    /// Another leaf with the same first bits: the index is absent.
    Other {
        /// Its index.
        index: Digest,
        /// Its digest.
        value: Digest,
    },
}

/// A proof of what is at one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeProof {
    /// From the top down; `None` for an empty place.
    siblings: Vec<Option<Digest>>,
    terminal: Terminal,
}

impl TreeProof {
    pub(crate) fn new(siblings: Vec<Option<Digest>>, terminal: Terminal) -> Self {
        Self { siblings, terminal }
    }

    /// What stands where the index leads.
    pub fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// Whether it proves that `index` has the digest `value` in the tree with that root, or with `None` that it has none.
    pub fn proves(&self, hasher: &TreeHasher, root: &Digest, index: &Digest, value: Option<&Digest>) -> bool {
        self.root(hasher, index, value).is_some_and(|found| found == *root)
    }

    /// The root that follows, if the proof is one for that index and digest at all.
    fn root(&self, hasher: &TreeHasher, index: &Digest, value: Option<&Digest>) -> Option<Digest> {
        let depth = self.siblings.len();
        if depth > MAX_DEPTH || !self.is_well_formed() {
            return None;
        }
        let start = match (self.terminal, value) {
            (Terminal::Present, Some(value)) => hasher.leaf(index, value),
            (Terminal::Empty, None) => hasher.empty(index, depth),
            (Terminal::Other { index: other, value }, None) => {
                if other == *index || other.prefix(depth) != index.prefix(depth) {
                    return None;
                }
                hasher.leaf(&other, &value)
            }
            _ => return None,
        };
        let mut hash = start;
        for (above, sibling) in self.siblings.iter().enumerate().rev() {
            let right = index.bit(above);
            let sibling = sibling.unwrap_or_else(|| {
                let mut path = index.prefix(above);
                if let Some(byte) = path.0.get_mut(above / 8).filter(|_| !right) {
                    *byte |= 0x80 >> (above % 8);
                }
                hasher.empty(&path, above + 1)
            });
            hash = if right { hasher.node(&sibling, &hash) } else { hasher.node(&hash, &sibling) };
        }
        Some(hash)
    }

    /// A leaf, or nothing, beside an empty place would stand one higher: such a proof is of no tree.
    fn is_well_formed(&self) -> bool {
        self.siblings.last().is_none_or(Option::is_some)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let tag = match self.terminal {
            Terminal::Present => 0,
            Terminal::Empty => 1,
            Terminal::Other { .. } => 2,
        };
        writer.u8(tag).u16(self.siblings.len() as u16);
        for eight in self.siblings.chunks(8) {
            let bits = eight.iter().enumerate();
            writer.u8(bits.fold(0, |byte, (at, sibling)| byte | u8::from(sibling.is_some()) << (7 - at)));
        }
        for sibling in self.siblings.iter().flatten() {
            writer.digest(sibling);
        }
        if let Terminal::Other { index, value } = &self.terminal {
            writer.digest(index).digest(value);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let tag = reader.u8()?;
        let depth = usize::from(reader.u16()?);
        if depth > MAX_DEPTH {
            return Err(reader.fault(format!("a place at depth {depth}, of at most {MAX_DEPTH}")));
        }
        let present = reader.slice(depth.div_ceil(8))?;
        let bit = |at: usize| present.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
        if (depth..depth.next_multiple_of(8)).any(bit) {
            return Err(reader.fault("a sibling below the place itself"));
        }
        let mut siblings = Vec::with_capacity(depth);
        for at in 0..depth {
            siblings.push(if bit(at) { Some(reader.digest()?) } else { None });
        }
        let terminal = match tag {
            0 => Terminal::Present,
            1 => Terminal::Empty,
            2 => Terminal::Other { index: reader.digest()?, value: reader.digest()? },
            other => return Err(reader.fault(format!("{other} says nothing about the place"))),
        };
        let proof = Self { siblings, terminal };
        if !proof.is_well_formed() {
            return Err(reader.fault("what stands beside an empty place stands too low"));
        }
        Ok(proof)
    }
}
