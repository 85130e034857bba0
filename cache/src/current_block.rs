//! The block that a sequential reader is in, if it came from disk.
//!
//! WiredTiger reads 28 KiB at a time, so a reader that goes from front to back comes to a block of 256 KiB nine times and never again.
//! The block is read from disk and verified once, the first time; its handle holds on to it for the other eight. It is kept out of
//! memory's pools: it would push out what is worth more there, and each block would land in a buffer that the processor has long
//! forgotten. This way one buffer goes round for the whole scan and stays in the processor's cache. A block that is asked for again
//! soon after enters memory as ever (see [`crate::recent_touches`]).
//!
//! What all handles hold together counts against a budget ([`crate::budgets`]); a reader that comes when it is used up has its blocks
//! put into memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::block_key::BlockKey;
use crate::budgets::Budgets;

/// No block has this number: blocks have 4 KiB at least, and an object's size is a `u64`.
const NO_BLOCK: u64 = u64::MAX;

/// The place for one block in one handle.
#[derive(Debug)]
pub(crate) struct CurrentBlock {
    /// The block's number, so that a reader of any other block takes no lock.
    number: AtomicU64,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    key: BlockKey,
    generation: u64,
    block: Bytes,
    room: Room,
}

/// The right to hold one block.
#[derive(Debug)]
pub(crate) struct Room {
    /// Given back when this is dropped.
    _memory: OwnedSemaphorePermit,
}

impl CurrentBlock {
    /// An empty place.
    pub(crate) fn new() -> Self {
        Self { number: AtomicU64::new(NO_BLOCK), held: Mutex::default() }
    }

    /// The block, if it is the one that is held, and nothing was dropped since `generation`.
    pub(crate) fn get(&self, key: &BlockKey, generation: u64) -> Option<Bytes> {
        if !self.holds(key.block) {
            return None;
        }
        let held = self.lock();
        let held = held.as_ref().filter(|held| held.key == *key && held.generation == generation)?;
        Some(held.block.clone())
    }

    /// Whether `block` is probably held.
    pub(crate) fn holds(&self, block: u64) -> bool {
        self.number.load(Ordering::Relaxed) == block
    }

    /// Lets go of the block that is held, so that its buffer is free for the next one, and returns the right to hold another; `None` if
    /// there is no room in `budget`.
    pub(crate) fn vacate(&self, budget: &Arc<Semaphore>, block_bytes: usize) -> Option<Room> {
        let left = self.lock().take();
        self.number.store(NO_BLOCK, Ordering::Relaxed);
        let room = left.map(|held| held.room);
        room.or_else(|| {
            let units = Budgets::units(block_bytes as u64);
            Arc::clone(budget).try_acquire_many_owned(units).ok().map(|memory| Room { _memory: memory })
        })
    }

    /// Holds `block`, which was found in `generation`.
    pub(crate) fn hold(&self, key: BlockKey, generation: u64, block: Bytes, room: Room) {
        let before = self.lock().replace(Held { key, generation, block, room });
        self.number.store(key.block, Ordering::Relaxed);
        // Another thread's, put here meanwhile. Its buffer goes back to the pool, outside the lock.
        drop(before);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK_BYTES: usize = 1 << 18;

    fn key(object: u64, block: u64) -> BlockKey {
        BlockKey { object, block }
    }

    fn budget(blocks: u64) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(Budgets::units(blocks * BLOCK_BYTES as u64) as usize))
    }

    #[test]
    fn only_the_very_block_is_found_and_only_until_it_is_dropped() {
        let (current, budget) = (CurrentBlock::new(), budget(1));
        assert_eq!(current.get(&key(1, 7), 0), None);
        let room = current.vacate(&budget, BLOCK_BYTES).unwrap();
        current.hold(key(1, 7), 0, Bytes::from("seven"), room);
        assert_eq!(current.get(&key(1, 7), 0), Some(Bytes::from("seven")));
        for (other, generation) in [(key(1, 8), 0), (key(2, 7), 0), (key(1, 7), 1)] {
            assert_eq!(current.get(&other, generation), None);
        }
        let room = current.vacate(&budget, BLOCK_BYTES).unwrap();
        assert_eq!(current.get(&key(1, 7), 0), None);
        current.hold(key(1, 8), 0, Bytes::from("eight"), room);
        assert_eq!(current.get(&key(1, 8), 0), Some(Bytes::from("eight")));
    }

    #[test]
    fn all_readers_together_stay_within_the_budget() {
        let budget = budget(2);
        let readers: Vec<_> = (0..3).map(|_| CurrentBlock::new()).collect();
        let hold = |reader: &CurrentBlock, block| {
            let room = reader.vacate(&budget, BLOCK_BYTES);
            room.map(|room| reader.hold(key(1, block), 0, Bytes::new(), room)).is_some()
        };
        let [one, two, three] = [0, 1, 2].map(|place| readers.get(place).unwrap());
        assert!(hold(one, 1) && hold(two, 2) && !hold(three, 3));
        assert!(hold(one, 4) && hold(two, 5) && !hold(three, 6));
        assert_eq!(three.get(&key(1, 6), 0), None);
        drop(readers);
        assert_eq!(budget.available_permits(), 2 * BLOCK_BYTES / 4096);
    }
}
