//! The local database, behind an interface.
//!
//! Invariants: a [`Batch`] is applied whole or not at all, and is on disk when [`Kv::write`] returns; keys are in the order of their bytes; a
//! [snapshot](Kv::snapshot) does not change. Ranges are read in bounded portions. The calls block: they are made on threads of their own, never on those
//! of an asynchronous runtime.
//!
//! | | for |
//! | --- | --- |
//! | [`FjallKv`] | replicas and verifiers |
//! | [`MemoryKv`] | tests, simulations, benchmarks |
//! | [`TraceKv`] | tests that look at what is written when |
//!
//! The suite that all pass is `tests/kv.rs`.

mod batch;
#[cfg(feature = "fjall")]
mod fjall;
mod memory;
mod staged;
mod trace;

use bytes::Bytes;

pub use self::batch::{Batch, Change};
#[cfg(feature = "fjall")]
pub use self::fjall::{FjallDatabase, FjallKv};
pub use self::memory::MemoryKv;
pub(crate) use self::staged::Staged;
pub use self::trace::{Trace, TraceEvent, TraceKv};
use crate::Result;

/// A key with its value.
pub type Pair = (Bytes, Bytes);

/// Which way a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From its start.
    Forward,
    /// From its end.
    Backward,
}

/// What can be read, of a database or a snapshot of it.
pub trait KvRead: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// `Storage`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// The first `most` pairs, in that direction, whose keys are not below `from` and below `to`.
    ///
    /// # Errors
    /// `Storage`.
    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>>;
}

/// A database.
pub trait Kv: KvRead + std::fmt::Debug + 'static {
    /// What it holds now, for as long as the snapshot lives.
    ///
    /// # Errors
    /// `Storage`.
    fn snapshot(&self) -> Result<Box<dyn KvRead>>;

    /// Applies the batch, all or nothing, and returns when it would survive a loss of power.
    ///
    /// # Errors
    /// `Storage`. Whether it was applied is then not known: open the database again.
    fn write(&self, batch: Batch) -> Result<()>;
}
