//! Blocks in memory.
//!
//! Three pools, each bounded by the bytes it holds:
//!
//! * `index` for what is read with [`Priority::Index`], so that no scan pushes it out;
//! * `main`, which admits a block only if it has been asked for more often lately than what would have to go (TinyLFU);
//! * `fresh` in front of it, an eighth of the memory, in order of last use. Every block starts here and is offered to `main` when it
//!   leaves. Without it a new block would often be turned away at once — and a reader that takes 28 KiB at a time would fetch the
//!   same block nine times over.
//!
//! [moka](https://docs.rs/moka) applies evictions in batches of up to 64 writes. With large blocks that would be a large excess, so
//! they are applied early whenever a small share of the budget has been written since the last time; and before their buffers are more
//! than [`crate::buffers`] takes back, since what goes to the allocator instead comes from it again as pages to be faulted in.
//!
//! A lookup takes no lock that a slow operation could hold, and runs on the caller's thread.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::{Cache, CacheBuilder};

use crate::block_key::{BlockKey, IntegerHash};
use crate::buffers::POOLED_BYTES;
use crate::fetch::Priority;

/// What an entry costs beside its bytes: key, value, and moka's own bookkeeping (measured, rounded up).
const ENTRY_BYTES: usize = 256;

type Pool = Cache<BlockKey, Bytes, IntegerHash>;

/// The memory part of one cache.
#[derive(Debug)]
pub(crate) struct Memory {
    fresh: Pool,
    main: Pool,
    index: Pool,
    /// Bytes written since evictions were applied.
    unsettled: AtomicU64,
    /// How many of these are let go.
    slack: u64,
    /// Whether there is a pool for indexes at all.
    separate: bool,
}

fn weigh(bytes: usize) -> u32 {
    u32::try_from(bytes + ENTRY_BYTES).unwrap_or(u32::MAX)
}

fn pool(capacity: u64, policy: EvictionPolicy) -> CacheBuilder<BlockKey, Bytes, Cache<BlockKey, Bytes>> {
    Cache::builder().max_capacity(capacity).eviction_policy(policy).weigher(|_, value: &Bytes| weigh(value.len()))
}

impl Memory {
    /// For `data` and `index` bytes; either may be 0.
    pub(crate) fn new(data: u64, index: u64) -> Self {
        let fresh = data / 8;
        let main = pool(data - fresh, EvictionPolicy::tiny_lfu()).build_with_hasher(IntegerHash);
        let admit = main.clone();
        Self {
            fresh: pool(fresh, EvictionPolicy::lru())
                .eviction_listener(move |key, value, cause| {
                    if cause == RemovalCause::Size {
                        admit.insert(*key, value);
                    }
                })
                .build_with_hasher(IntegerHash),
            main,
            index: pool(index, EvictionPolicy::lru()).build_with_hasher(IntegerHash),
            unsettled: AtomicU64::new(0),
            slack: ((data + index) / 16).clamp(1 << 16, POOLED_BYTES as u64 / 2),
            separate: index > 0,
        }
    }

    /// The block of `key`, wherever it is; one read as an index moves to that pool.
    pub(crate) fn get(&self, key: &BlockKey, priority: Priority) -> Option<Bytes> {
        if priority == Priority::Index && self.separate {
            if let Some(block) = self.index.get(key) {
                return Some(block);
            }
            let block = self.main.remove(key).or_else(|| self.fresh.remove(key))?;
            self.insert(*key, block.clone(), priority);
            return Some(block);
        }
        self.main.get(key).or_else(|| self.fresh.get(key)).or_else(|| self.index.get(key))
    }

    /// Whether `key` is here, without counting as a use.
    pub(crate) fn contains(&self, key: &BlockKey) -> bool {
        self.main.contains_key(key) || self.fresh.contains_key(key) || self.index.contains_key(key)
    }

    /// Puts a block in. It may be gone the next moment if the memory is small.
    pub(crate) fn insert(&self, key: BlockKey, block: Bytes, priority: Priority) {
        let weight = u64::from(weigh(block.len()));
        match priority {
            Priority::Index if self.separate => self.index.insert(key, block),
            _ => self.fresh.insert(key, block),
        }
        if self.unsettled.fetch_add(weight, Ordering::Relaxed) + weight > self.slack {
            self.unsettled.store(0, Ordering::Relaxed);
            self.settle();
        }
    }

    /// Forgets the `blocks` of the object numbered `object`.
    pub(crate) fn forget(&self, object: u64, blocks: Range<u64>) {
        for pool in [&self.fresh, &self.main, &self.index] {
            if blocks.end.saturating_sub(blocks.start) <= pool.entry_count() {
                for block in blocks.clone() {
                    pool.invalidate(&BlockKey { object, block });
                }
            } else {
                for (key, _) in pool.iter().filter(|(key, _)| key.object == object) {
                    pool.invalidate(&*key);
                }
            }
        }
        self.settle();
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for pool in [&self.fresh, &self.main, &self.index] {
            pool.invalidate_all();
        }
        self.settle();
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.settle();
        self.fresh.weighted_size() + self.main.weighted_size() + self.index.weighted_size()
    }

    /// Applies pending evictions: `fresh` first, since what leaves it enters `main`.
    fn settle(&self) {
        for pool in [&self.fresh, &self.main, &self.index] {
            pool.run_pending_tasks();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(block: u64) -> BlockKey {
        BlockKey { object: 1, block }
    }

    fn block(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 4096])
    }

    #[test]
    fn a_new_block_is_found_even_when_memory_is_full_of_hot_ones() {
        let memory = Memory::new(1 << 20, 0);
        for round in 0..20 {
            for n in 0..200 {
                memory.get(&key(n), Priority::Data).unwrap_or_else(|| {
                    assert!(round < 2, "block {n} was lost in round {round}");
                    memory.insert(key(n), block(n as u8), Priority::Data);
                    Bytes::new()
                });
            }
        }
        for n in 1000..1500 {
            memory.insert(key(n), block(1), Priority::Data);
            for _ in 0..9 {
                assert!(memory.get(&key(n), Priority::Data).is_some(), "block {n}");
            }
        }
    }

    #[test]
    fn scans_push_out_neither_hot_blocks_nor_indexes() {
        let memory = Memory::new(1 << 20, 1 << 18);
        for n in 0..30 {
            memory.insert(key(n), block(n as u8), Priority::Index);
        }
        for n in 100..250 {
            memory.insert(key(n), block(n as u8), Priority::Data);
        }
        memory.bytes();
        for _ in 0..5 {
            (100..250).for_each(|n| drop(memory.get(&key(n), Priority::Data)));
        }
        let mut hits = 0;
        for n in 10_000..30_000 {
            memory.get(&key(n), Priority::Data);
            memory.insert(key(n), block(0), Priority::Data);
            if n % 200 == 0 {
                hits += (100..250).filter(|n| memory.get(&key(*n), Priority::Data).is_some()).count();
            }
        }
        assert!((0..30).all(|n| memory.get(&key(n), Priority::Index).is_some()));
        assert!(hits > 100 * 120, "{} of 150 hot blocks are there in the middle of a scan, on average", hits / 100);
    }

    #[test]
    fn memory_is_bounded_with_small_and_with_huge_blocks() {
        let memory = Memory::new(1 << 20, 1 << 16);
        for n in 0..10_000 {
            memory.insert(key(n), block(1), if n % 3 == 0 { Priority::Index } else { Priority::Data });
        }
        assert!(memory.bytes() <= (1 << 20) + (1 << 16));
        let memory = Memory::new(64 << 20, 0);
        for n in 0..40 {
            memory.insert(key(n), Bytes::from(vec![1; 16 << 20]), Priority::Data);
            let held = memory.fresh.iter().chain(memory.main.iter()).count();
            assert!(held <= 4, "{held} blocks of 16 MiB in 64 MiB");
        }
        assert!(memory.bytes() > 32 << 20);
        let nothing = Memory::new(0, 0);
        nothing.insert(key(1), block(1), Priority::Data);
        assert_eq!(nothing.bytes(), 0);
    }

    #[test]
    fn an_index_read_moves_the_block() {
        let memory = Memory::new(1 << 20, 1 << 18);
        memory.insert(key(7), block(7), Priority::Data);
        assert_eq!(memory.get(&key(7), Priority::Index), Some(block(7)));
        assert!(memory.index.contains_key(&key(7)) && !memory.fresh.contains_key(&key(7)));
        assert_eq!(memory.get(&key(7), Priority::Data), Some(block(7)));
    }

    #[test]
    fn forgetting_one_object_leaves_the_others() {
        for blocks in [0..50, 0..1_000_000] {
            let memory = Memory::new(1 << 20, 1 << 18);
            for n in 0..50 {
                memory.insert(key(n), block(1), Priority::Data);
                memory.insert(BlockKey { object: 2, block: n }, block(2), Priority::Index);
            }
            memory.forget(1, blocks);
            assert!((0..50).all(|n| !memory.contains(&key(n)) && memory.contains(&BlockKey { object: 2, block: n })));
            memory.clear();
            assert_eq!(memory.bytes(), 0);
        }
    }
}
