//! Notes what is written, in one order with what happens elsewhere: so tests see that the database comes before the network.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Batch, Change, Direction, Kv, KvRead, Pair};
use crate::Result;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceEvent {
    /// A batch was applied, and is on disk.
    Written(Vec<Change>),
    /// Something else that the test wants to know the place of.
    Happened(String),
}

/// What happened, in its order. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<TraceEvent>>>);

impl Trace {
    /// Notes that something happened.
    pub fn note(&self, what: impl Into<String>) {
        self.push(TraceEvent::Happened(what.into()));
    }

    /// All of it.
    pub fn events(&self) -> Vec<TraceEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, event: TraceEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// A database that notes its writes.
#[derive(Debug, Clone)]
pub struct TraceKv<K> {
    inner: K,
    trace: Trace,
}

impl<K: Kv> TraceKv<K> {
    /// `inner`, with its writes noted in `trace`.
    pub fn new(inner: K, trace: Trace) -> Self {
        Self { inner, trace }
    }
}

impl<K: Kv> KvRead for TraceKv<K> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.inner.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        self.inner.range(from, to, direction, most)
    }
}

impl<K: Kv> Kv for TraceKv<K> {
    fn snapshot(&self) -> Result<Box<dyn KvRead>> {
        self.inner.snapshot()
    }

    fn write(&self, batch: Batch) -> Result<()> {
        let changes = batch.changes().to_vec();
        self.inner.write(batch)?;
        self.trace.push(TraceEvent::Written(changes));
        Ok(())
    }
}
