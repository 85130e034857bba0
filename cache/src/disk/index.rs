//! The files that are known, found by name; in shards, so that readers don't wait for each other.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

use super::entry::{Entry, Pin};
use super::layout::BlockName;
use crate::block_key::IntegerHash;

/// Shards; a power of two.
const SHARDS: usize = 64;

type Shard = RwLock<HashMap<BlockName, Arc<Entry>, IntegerHash>>;

/// The index.
#[derive(Debug)]
pub(crate) struct Index {
    shards: Box<[Shard]>,
}

impl Index {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    fn shard(&self, name: &BlockName) -> Option<&Shard> {
        // The hash's low bits choose inside the map, the high ones here.
        self.shards.get((IntegerHash.hash_one(name) >> 50) as usize % SHARDS)
    }

    /// Whether the file is known.
    pub(crate) fn has(&self, name: &BlockName) -> bool {
        self.shard(name).is_some_and(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).contains_key(name))
    }

    /// Pins the file for a read.
    pub(crate) fn pin(&self, name: &BlockName) -> Option<Pin> {
        self.shard(name)?.read().unwrap_or_else(PoisonError::into_inner).get(name).map(Pin::new)
    }

    /// Enters a file; false if its name is known already.
    pub(crate) fn insert(&self, entry: &Arc<Entry>) -> bool {
        let Some(shard) = self.shard(&entry.name) else { return false };
        match shard.write().unwrap_or_else(PoisonError::into_inner).entry(entry.name) {
            hash_map::Entry::Occupied(_) => false,
            hash_map::Entry::Vacant(place) => {
                place.insert(Arc::clone(entry));
                true
            }
        }
    }

    /// Takes `entry` out; false if it is not there (any more). With `only_idle` also if it is pinned.
    pub(crate) fn remove(&self, entry: &Arc<Entry>, only_idle: bool) -> bool {
        let Some(shard) = self.shard(&entry.name) else { return false };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let same = shard.get(&entry.name).is_some_and(|known| Arc::ptr_eq(known, entry));
        if !same || (only_idle && entry.is_pinned()) {
            return false;
        }
        shard.remove(&entry.name).is_some()
    }

    /// All files for which `keep` is true, as they are now.
    pub(crate) fn all(&self, keep: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            found.extend(shard.values().filter(|entry| keep(entry)).cloned());
        }
        found
    }

    /// How many files are known.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(block: u64) -> BlockName {
        BlockName { digest: 0xabcd << 100, shift: 18, block }
    }

    #[test]
    fn a_pinned_entry_is_not_taken_out_for_eviction() {
        let index = Index::new();
        let entry = Entry::new(name(1), 4096, 0);
        assert!(index.insert(&entry) && !index.insert(&Entry::new(name(1), 4096, 0)));
        let pin = index.pin(&name(1)).unwrap();
        assert!(!index.remove(&entry, true));
        drop(pin);
        assert!(index.remove(&entry, true) && !index.remove(&entry, false));
        assert!(index.pin(&name(1)).is_none());
    }

    #[test]
    fn only_the_very_entry_is_removed() {
        let index = Index::new();
        let (old, new) = (Entry::new(name(1), 4096, 0), Entry::new(name(1), 4096, 0));
        index.insert(&old);
        index.remove(&old, false);
        index.insert(&new);
        assert!(!index.remove(&old, false) && index.has(&name(1)));
        (2..1000).for_each(|block| assert!(index.insert(&Entry::new(name(block), 1, 0))));
        assert_eq!(index.len(), 999);
        assert_eq!(index.all(|entry| entry.name.block < 10).len(), 9);
    }
}
