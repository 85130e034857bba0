//! A database in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::{Batch, Change, Direction, Kv, KvRead, Pair};
use crate::Result;

type Map = BTreeMap<Bytes, Bytes>;

/// Keys and values in memory; clones share them. What a process would lose in a crash is what was not written, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct MemoryKv(Arc<RwLock<Arc<Map>>>);

impl MemoryKv {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that goes its own way.
    pub fn fork(&self) -> Self {
        Self(Arc::new(RwLock::new(self.now())))
    }

    /// All there is, to compare.
    pub fn contents(&self) -> BTreeMap<Bytes, Bytes> {
        (*self.now()).clone()
    }

    fn now(&self) -> Arc<Map> {
        // A writer that panicked has changed nothing: the map is replaced in one step.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn range(map: &Map, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Vec<Pair> {
    if from >= to {
        return Vec::new();
    }
    let pairs = map.range::<[u8], _>((std::ops::Bound::Included(from), std::ops::Bound::Excluded(to)));
    let clone = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
    match direction {
        Direction::Forward => pairs.take(most).map(clone).collect(),
        Direction::Backward => pairs.rev().take(most).map(clone).collect(),
    }
}

struct Snapshot(Arc<Map>);

impl KvRead for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.0.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        Ok(range(&self.0, from, to, direction, most))
    }
}

impl KvRead for MemoryKv {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.now().get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        Ok(range(&self.now(), from, to, direction, most))
    }
}

impl Kv for MemoryKv {
    fn snapshot(&self) -> Result<Box<dyn KvRead>> {
        Ok(Box::new(Snapshot(self.now())))
    }

    fn write(&self, batch: Batch) -> Result<()> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Copied only while a snapshot holds the old one.
        let map = Arc::make_mut(&mut map);
        for change in batch.into_changes() {
            match change {
                Change::Put(key, value) => drop(map.insert(key, value)),
                Change::Remove(key) => drop(map.remove(&key)),
            }
        }
        Ok(())
    }
}
