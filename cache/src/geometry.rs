//! How an object is cut into blocks, and blocks are joined into what one request asks for.
//!
//! A *block* is what the cache stores and evicts: a power of two from 4 KiB to 16 MiB; only an object's last block is shorter.
//! A *granule* is what is fetched at least: a whole number of blocks that covers a checksum block of the bucket (256 KiB), because
//! the bucket downloads and verifies whole checksum blocks anyway; asking for less would download the same bytes again for the
//! neighbour. With blocks of 256 KiB and more, granule and block are the same.

use std::ops::Range;

/// Bytes a bucket verifies at once (`docs/src/formats/checksums.md`), as a power of two: 256 KiB.
const CHECKSUM_BLOCK_SHIFT: u32 = 18;

/// Smallest block size, bytes.
pub(crate) const MIN_BLOCK_BYTES: u64 = 4 << 10;

/// Largest block size, bytes.
pub(crate) const MAX_BLOCK_BYTES: u64 = 16 << 20;

/// The block size of one cache and the arithmetic that follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    shift: u32,
}

impl Geometry {
    /// For blocks of `block_bytes`, or `None` unless that is a power of two within the limits.
    pub(crate) fn new(block_bytes: u64) -> Option<Self> {
        let fits = block_bytes.is_power_of_two() && (MIN_BLOCK_BYTES..=MAX_BLOCK_BYTES).contains(&block_bytes);
        fits.then(|| Self { shift: block_bytes.trailing_zeros() })
    }

    /// The base-2 logarithm of the block size.
    pub(crate) fn shift(self) -> u32 {
        self.shift
    }

    /// Bytes of a full block.
    pub(crate) fn block_bytes(self) -> usize {
        1 << self.shift
    }

    /// The block that holds byte `offset`.
    pub(crate) fn block_of(self, offset: u64) -> u64 {
        offset >> self.shift
    }

    /// Where `block` begins in its object.
    pub(crate) fn start(self, block: u64) -> u64 {
        block << self.shift
    }

    /// Bytes of `block` in an object of `size` bytes; 0 past its end.
    pub(crate) fn len(self, block: u64, size: u64) -> usize {
        let rest = size.saturating_sub(self.start(block));
        usize::try_from(rest).unwrap_or(usize::MAX).min(self.block_bytes())
    }

    /// Blocks of an object of `size` bytes.
    pub(crate) fn count(self, size: u64) -> u64 {
        size.div_ceil(1 << self.shift)
    }

    /// The blocks that `range` touches; none for an empty range.
    pub(crate) fn blocks(self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return 0..0;
        }
        self.block_of(range.start)..self.block_of(range.end - 1) + 1
    }

    /// The bytes of `blocks` in an object of `size` bytes.
    pub(crate) fn bytes(self, blocks: &Range<u64>, size: u64) -> Range<u64> {
        self.start(blocks.start).min(size)..self.start(blocks.end).min(size)
    }

    /// The base-2 logarithm of a granule's size in blocks.
    fn granule_shift(self) -> u32 {
        CHECKSUM_BLOCK_SHIFT.saturating_sub(self.shift)
    }

    /// Bytes of a full granule.
    pub(crate) fn granule_bytes(self) -> u64 {
        1 << (self.shift + self.granule_shift())
    }

    /// The granule that holds `block`.
    pub(crate) fn granule_of(self, block: u64) -> u64 {
        block >> self.granule_shift()
    }

    /// The granules that hold `blocks`, which must not be empty.
    pub(crate) fn granules(self, blocks: &Range<u64>) -> Range<u64> {
        self.granule_of(blocks.start)..self.granule_of(blocks.end.saturating_sub(1)) + 1
    }

    /// The blocks of `granules` in an object of `size` bytes.
    pub(crate) fn blocks_of_granules(self, granules: &Range<u64>, size: u64) -> Range<u64> {
        let count = self.count(size);
        (granules.start << self.granule_shift()).min(count)..(granules.end << self.granule_shift()).min(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_that_are_no_block_sizes() {
        for bytes in [0, 1, 4095, 4097, 3 << 20, 32 << 20, u64::MAX] {
            assert_eq!(Geometry::new(bytes), None, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn blocks_tile_the_object(shift in 12u32..=24, size in 0u64..100_000_000) {
            let geometry = Geometry::new(1 << shift).unwrap();
            let mut next = 0;
            for block in 0..geometry.count(size) {
                prop_assert_eq!(geometry.start(block), next);
                let len = geometry.len(block, size) as u64;
                prop_assert!(len > 0);
                prop_assert_eq!(geometry.block_of(next), block);
                prop_assert_eq!(geometry.block_of(next + len - 1), block);
                next += len;
            }
            prop_assert_eq!(next, size);
            prop_assert_eq!(geometry.len(geometry.count(size), size), 0);
        }

        #[test]
        fn granules_cover_checksum_blocks(shift in 12u32..=24, size in 1u64..100_000_000, at in 0u64..100_000_000, len in 1u64..5_000_000) {
            let geometry = Geometry::new(1 << shift).unwrap();
            let start = at % size;
            let range = start..(start + len).min(size);
            let blocks = geometry.blocks(&range);
            let wide = geometry.blocks_of_granules(&geometry.granules(&blocks), size);
            prop_assert!(wide.start <= blocks.start && wide.end >= blocks.end);
            let bytes = geometry.bytes(&wide, size);
            prop_assert!(bytes.start.is_multiple_of(256 << 10) && bytes.start <= range.start);
            prop_assert!(bytes.end >= range.end && (bytes.end == size || bytes.end.is_multiple_of(256 << 10)));
        }
    }
}
