//! Block checksums of bytes that come in pieces.

use super::block_sums::BlockSums;

/// Sums blocks as bytes arrive. Used by every writer; holds four bytes a block.
#[derive(Debug, Clone)]
pub(crate) struct SumsBuilder {
    block: u32,
    size: u64,
    filled: u32,
    open: u32,
    sums: Vec<u32>,
}

impl SumsBuilder {
    /// Sums over blocks of `block` bytes, at least one.
    pub(crate) fn new(block: u32) -> Self {
        Self { block: block.max(1), size: 0, filled: 0, open: 0, sums: Vec::new() }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.block - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.open = crc32c::crc32c_append(self.open, now);
            self.size += now.len() as u64;
            // `now` is no longer than the room left in a block, whose size is a u32.
            self.filled += u32::try_from(now.len()).unwrap_or(u32::MAX);
            if self.filled == self.block {
                self.sums.push(self.open);
                (self.filled, self.open) = (0, 0);
            }
            bytes = later;
        }
    }

    /// Bytes taken so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The sums of everything taken.
    pub(crate) fn finish(mut self) -> BlockSums {
        if self.filled > 0 {
            self.sums.push(self.open);
        }
        BlockSums::exact(self.size, self.block, self.sums)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_cut_into_pieces_does_not_matter(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10), block in 1_u32..40,
        ) {
            let whole = pieces.concat();
            let mut builder = SumsBuilder::new(block);
            pieces.iter().for_each(|piece| builder.update(piece));
            prop_assert_eq!(builder.size(), whole.len() as u64);
            let sums = builder.finish();
            let model: Vec<u32> = whole.chunks(block as usize).map(crc32c::crc32c).collect();
            prop_assert_eq!(sums.sums(), &model[..]);
            prop_assert_eq!(BlockSums::new(whole.len() as u64, block, model), Some(sums));
        }
    }
}
