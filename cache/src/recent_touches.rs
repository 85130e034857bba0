//! Which blocks were read from disk a little while ago: the ones worth bringing into memory.
//!
//! A small read that hits on disk takes just the part it needs, and leaves memory as it is. When the same block is asked for again
//! soon, the whole of it is brought in. *Soon* means within about as many touches as memory holds blocks: a block that comes
//! back later than that would have been evicted anyway.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::block_key::{BlockKey, IntegerHash};

/// A table of fingerprints, each at the one place its hash names; a newer touch overwrites an older one.
#[derive(Debug)]
pub(crate) struct RecentTouches {
    slots: Box<[AtomicU32]>,
}

impl RecentTouches {
    /// For a memory of `blocks` blocks.
    pub(crate) fn new(blocks: u64) -> Self {
        let slots = usize::try_from(blocks.next_power_of_two()).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        Self { slots: (0..slots).map(|_| AtomicU32::new(0)).collect() }
    }

    /// Notes a touch; true if the last one noted at this place was of the same block.
    pub(crate) fn touch(&self, key: &BlockKey) -> bool {
        let hash = IntegerHash.hash_one(key);
        let Some(slot) = self.slots.get(hash as usize & (self.slots.len() - 1)) else { return false };
        let fingerprint = (hash >> 32) as u32 | 1;
        slot.swap(fingerprint, Ordering::Relaxed) == fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_touch_counts_unless_too_much_came_between() {
        let touches = RecentTouches::new(1000);
        let key = |block| BlockKey { object: 1, block };
        let repeated = |blocks: std::ops::Range<u64>| blocks.filter(|block| touches.touch(&key(*block))).count();
        assert_eq!(repeated(0..200), 0);
        assert!(repeated(0..200) > 150);
        repeated(1_000..20_000);
        assert!(repeated(0..200) < 20);
    }
}
