//! The checksums of one object's blocks.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::shift::Shift;

/// The CRC32C of every block of one object. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BlockSums {
    size: u64,
    block: u32,
    sums: Arc<[u32]>,
}

/// A block whose bytes are not the ones that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The block's bytes within the object.
    pub(crate) range: Range<u64>,
    /// CRC32C recorded when the object was written.
    pub(crate) expected: u32,
    /// CRC32C of what was read.
    pub(crate) found: u32,
}

impl BlockSums {
    /// Sums of an object of `size` bytes in blocks of `block` bytes; none unless there is exactly one sum a block.
    pub(crate) fn new(size: u64, block: u32, sums: impl Into<Arc<[u32]>>) -> Option<Self> {
        let sums = sums.into();
        (block > 0 && block_count(size, block) == sums.len() as u64).then_some(Self { size, block, sums })
    }

    /// For the builder, which pushes exactly one sum a block.
    pub(super) fn exact(size: u64, block: u32, sums: Vec<u32>) -> Self {
        Self { size, block, sums: sums.into() }
    }

    /// The sums of stretches that follow each other, each of them but the last of whole blocks of `block` bytes.
    pub(crate) fn join(block: u32, stretches: &[Self]) -> Self {
        let size = stretches.iter().map(|stretch| stretch.size).sum();
        Self { size, block, sums: stretches.iter().flat_map(|stretch| stretch.sums.iter().copied()).collect() }
    }

    /// The object's size, bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The block size, bytes; the last block may be shorter.
    pub(crate) fn block(&self) -> u32 {
        self.block
    }

    /// One sum a block, in order.
    pub(crate) fn sums(&self) -> &[u32] {
        &self.sums
    }

    /// The CRC32C of the whole object, put together from those of its blocks.
    pub(crate) fn whole(&self) -> u32 {
        let Some((&last, others)) = self.sums.split_last() else { return 0 };
        let Some((&first, between)) = others.split_first() else { return last };
        let shift = Shift::by(self.block);
        let before = between.iter().fold(first, |whole, &sum| shift.combine(whole, sum));
        // There is one sum a block, so what is left for the last one is no more than a block, which fits every usize.
        let length = self.size.saturating_sub(u64::from(self.block).saturating_mul(others.len() as u64));
        crc32c::crc32c_combine(before, last, usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// `range` widened to whole blocks.
    pub(crate) fn align(&self, range: Range<u64>) -> Range<u64> {
        align(range, u64::from(self.block), self.size)
    }

    /// Checks `bytes`, which were read from `start`, a block's first byte, and end at a block's end or the object's.
    /// Returns every block that fails.
    pub(crate) fn mismatches(&self, start: u64, bytes: &[u8]) -> Vec<Mismatch> {
        let block = u64::from(self.block);
        let first = usize::try_from(start / block).unwrap_or(usize::MAX);
        let sums = self.sums.get(first..).unwrap_or_default();
        let length = usize::try_from(self.block).unwrap_or(usize::MAX);
        let mut from = start;
        let mut failed = Vec::new();
        for (at, chunk) in bytes.chunks(length).enumerate() {
            let found = crc32c::crc32c(chunk);
            let to = from + chunk.len() as u64;
            // A block without a sum lies past the object's end: nothing vouches for it.
            let expected = sums.get(at).copied();
            if expected != Some(found) {
                failed.push(Mismatch { range: from..to, expected: expected.unwrap_or_default(), found });
            }
            from = to;
        }
        failed
    }
}

impl fmt::Debug for BlockSums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockSums({} bytes, {} blocks of {})", self.size, self.sums.len(), self.block)
    }
}

/// Blocks in an object of `size` bytes.
pub(crate) fn block_count(size: u64, block: u32) -> u64 {
    size.div_ceil(u64::from(block.max(1)))
}

/// `range` widened to multiples of `block`, within `size`.
pub(crate) fn align(range: Range<u64>, block: u64, size: u64) -> Range<u64> {
    let block = block.max(1);
    let start = range.start / block * block;
    let end = range.end.div_ceil(block).saturating_mul(block).min(size);
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SumsBuilder;
    use super::*;

    fn sums(data: &[u8], block: u32) -> BlockSums {
        let mut builder = SumsBuilder::new(block);
        builder.update(data);
        builder.finish()
    }

    #[test]
    fn an_empty_object_has_no_blocks() {
        let empty = sums(b"", 4);
        assert_eq!((empty.size(), empty.sums(), empty.whole()), (0, &[][..], 0));
        assert!(empty.mismatches(0, b"").is_empty());
        assert_eq!(empty.align(0..0), 0..0);
    }

    #[test]
    fn the_number_of_sums_must_fit() {
        assert!(BlockSums::new(9, 4, [1, 2, 3]).is_some());
        assert!(BlockSums::new(9, 4, [1, 2]).is_none());
        assert!(BlockSums::new(8, 4, [1, 2, 3]).is_none());
        assert!(BlockSums::new(0, 0, []).is_none());
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found_in_its_block(
            data in proptest::collection::vec(any::<u8>(), 1..200), block in 1_u32..40, at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let sums = sums(&data, block);
            prop_assert!(sums.mismatches(0, &data).is_empty());
            prop_assert_eq!(sums.whole(), crc32c::crc32c(&data));
            let at = at.index(data.len());
            let mut broken = data.clone();
            broken[at] ^= 1 << bit;
            let found = sums.mismatches(0, &broken);
            prop_assert_eq!(found.len(), 1);
            prop_assert!(found[0].range.contains(&(at as u64)));
            prop_assert_eq!(found[0].range.clone(), sums.align(at as u64..at as u64 + 1));
        }

        #[test]
        fn an_aligned_range_verifies_alone(
            data in proptest::collection::vec(any::<u8>(), 1..200), block in 1_u32..40, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
        ) {
            let (a, b) = (a.index(data.len()) as u64, b.index(data.len()) as u64);
            let range = a.min(b)..a.max(b) + 1;
            let sums = sums(&data, block);
            let aligned = sums.align(range.clone());
            prop_assert!(aligned.start <= range.start && range.end <= aligned.end && aligned.end <= data.len() as u64);
            let part = &data[aligned.start as usize..aligned.end as usize];
            prop_assert!(sums.mismatches(aligned.start, part).is_empty());
        }
    }
}
