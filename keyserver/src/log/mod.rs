//! The replicated log: the one order in which everything happens.
//!
//! Invariants: committed entries have rising indices above 0, the same for all, maybe with gaps; what was committed stays, until it is truncated below what all
//! have applied; a proposal that was answered is committed, and one that failed may be committed all the same, once. So who proposes something tries
//! again until he sees it committed, and what is committed twice does nothing the second time.
//!
//! | | for |
//! | --- | --- |
//! | [`LocalLog`] | one replica, or several in one process |
//! | [`EtcdLog`] | replicas on several machines |
//!
//! The suite that all pass is `tests/log.rs`.

#[cfg(feature = "etcd")]
mod etcd;
mod local;

use async_trait::async_trait;
use bytes::Bytes;

#[cfg(feature = "etcd")]
pub use etcd::{EtcdLog, EtcdLogOptions};
pub use local::LocalLog;

use crate::Result;

/// A committed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its index.
    pub index: u64,
    /// Its bytes, as they were proposed. Whoever can propose may have proposed anything.
    pub entry: Bytes,
}

/// A log.
#[async_trait]
pub trait ReplicatedLog: std::fmt::Debug + Send + Sync + 'static {
    /// Appends `entry`.
    ///
    /// # Errors
    /// `Log` or `Storage`: it may be appended or not. `Invalid` if it is too large. `Overloaded`.
    async fn propose(&self, entry: Bytes) -> Result<()>;

    /// Waits until there are entries above index `after`, and gives the first of them, `most` at the most. Dropping the future has no effect.
    ///
    /// # Errors
    /// `NotFound` if they were truncated: the replica needs a snapshot. `Log` or `Storage`.
    async fn wait_committed(&self, after: u64, most: usize) -> Result<Vec<Committed>>;

    /// Whether this replica should be the one to propose what only one needs to. A wrong answer costs a needless proposal, or a delay.
    fn leads(&self) -> bool;

    /// This replica has applied everything up to and with index `through`. A log that knows all its replicas removes what all have applied, when it likes.
    fn applied(&self, through: u64) {
        // Others leave it to whoever knows.
        let _ = through;
    }

    /// Entries up to and with index `through` may be removed: all replicas have applied them.
    ///
    /// # Errors
    /// `Log` or `Storage`.
    async fn truncate(&self, through: u64) -> Result<()>;
}
