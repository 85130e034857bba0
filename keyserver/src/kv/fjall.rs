//! The database on disk, by `fjall`: a log-structured store with a journal that is synced with every batch.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use super::{Batch, Change, Direction, Kv, KvRead, Pair};
use crate::{Error, Result};

/// A directory with databases in it. One process at a time has it open.
#[derive(Clone)]
pub struct FjallDatabase {
    database: Database,
    memtable_bytes: u64,
}

/// What is not yet in tables is kept in order: with more of it, each write takes longer, and compaction has no less to do.
const MOST_MEMTABLE_BYTES: u64 = 64 << 20;

impl std::fmt::Debug for FjallDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FjallDatabase")
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(operation: &'static str) -> impl Fn(E) -> Error {
    move |source| Error::Storage { operation, source: Box::new(source) }
}

impl FjallDatabase {
    /// Opens the directory, or makes it. At most `cache_bytes` are used for what was read. What is not yet in tables takes as much again in each database, and
    /// 64 MiB at the most; on a slow disk, up to four times as much waits to be written.
    ///
    /// # Errors
    /// `Storage`: another process has it open, or the disk fails.
    pub fn open(directory: &Path, cache_bytes: u64) -> Result<Self> {
        let builder = Database::builder(directory).cache_size(cache_bytes).worker_threads(2);
        let database = builder.open().map_err(failed("opening"))?;
        Ok(Self { database, memtable_bytes: cache_bytes.clamp(1 << 20, MOST_MEMTABLE_BYTES) })
    }

    /// The database of that name in it.
    ///
    /// # Errors
    /// `Storage`.
    pub fn kv(&self, name: &str) -> Result<FjallKv> {
        let strategy = || Arc::new(fjall::compaction::Leveled::default().with_l0_threshold(8));
        let options =
            || KeyspaceCreateOptions::default().max_memtable_size(self.memtable_bytes).compaction_strategy(strategy());
        let keyspace = self.database.keyspace(name, options).map_err(failed("opening a table"))?;
        Ok(FjallKv { database: self.database.clone(), keyspace })
    }
}

/// One database.
#[derive(Clone)]
pub struct FjallKv {
    database: Database,
    keyspace: Keyspace,
}

impl std::fmt::Debug for FjallKv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FjallKv({})", self.keyspace.name())
    }
}

struct View {
    snapshot: Snapshot,
    keyspace: Keyspace,
}

impl KvRead for View {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let value = self.snapshot.get(&self.keyspace, key).map_err(failed("reading"))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let pairs = self.snapshot.range(&self.keyspace, from..to);
        let read = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner().map_err(failed("reading a range"))?;
            Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
        };
        match direction {
            Direction::Forward => pairs.take(most).map(read).collect(),
            Direction::Backward => pairs.rev().take(most).map(read).collect(),
        }
    }
}

impl KvRead for FjallKv {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let value = self.keyspace.get(key).map_err(failed("reading"))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        self.snapshot()?.range(from, to, direction, most)
    }
}

impl Kv for FjallKv {
    fn snapshot(&self) -> Result<Box<dyn KvRead>> {
        Ok(Box::new(View { snapshot: self.database.snapshot(), keyspace: self.keyspace.clone() }))
    }

    fn write(&self, batch: Batch) -> Result<()> {
        let mut writes = self.database.batch().durability(Some(PersistMode::SyncAll));
        for change in batch.into_changes() {
            match change {
                Change::Put(key, value) => writes.insert(&self.keyspace, &key[..], &value[..]),
                Change::Remove(key) => writes.remove(&self.keyspace, &key[..]),
            }
        }
        writes.commit().map_err(failed("writing a batch"))
    }
}
