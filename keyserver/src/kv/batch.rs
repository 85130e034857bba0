//! Changes that are applied together.

use bytes::Bytes;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The key gets the value.
    Put(Bytes, Bytes),
    /// The key goes.
    Remove(Bytes),
}

/// Changes in their order; of two to one key the later holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// `key` is to have `value`.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changes.push(Change::Put(key.into(), value.into()));
    }

    /// `key` is to go.
    pub fn remove(&mut self, key: impl Into<Bytes>) {
        self.changes.push(Change::Remove(key.into()));
    }

    /// The changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes, to apply.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}
