//! What can go wrong with a page log.

use std::sync::Arc;
use std::time::Duration;

use plastron_config::ErrorKind;

use super::codec::Damage;
use super::lsn::{Lsn, MAX_EPOCH};
use super::record::{MAX_CHAIN, MAX_PAGE_BYTES};

/// The precise fault of an operation on a page log. Cheap enough to clone: one failed upload is told to everybody.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PageLogFault {
    /// Nothing of the page is there, or not at this LSN.
    #[error("get page {page} of table {table} at LSN {lsn}: there is no such record")]
    NotFound {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// What was asked for; [`Lsn::MAX`] for the latest.
        lsn: Lsn,
    },
    /// The page was discarded.
    #[error("get page {page} of table {table}: it was discarded at LSN {lsn}")]
    Discarded {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// The tombstone's LSN.
        lsn: Lsn,
    },
    /// What was asked for, or what it builds on, was given back by a trim.
    #[error("get page {page} of table {table} at LSN {lsn}: the table's history below LSN {start} was trimmed")]
    Trimmed {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// The LSN that is gone.
        lsn: Lsn,
        /// Where the history begins.
        start: Lsn,
    },
    /// The LSN is above everything that can be read here, and stayed so.
    #[error(
        "LSN {lsn} cannot be read here yet: the log ends at {readable} and did not get there in {waited:?}; wait longer, or pick up a newer checkpoint"
    )]
    NotYet {
        /// What was asked for.
        lsn: Lsn,
        /// What can be read.
        readable: Lsn,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A record leads to one that is not there, or not what it should be.
    #[error("corrupt: the chain of page {page} of table {table} at LSN {lsn} is broken: {reason}")]
    BrokenChain {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// The record that leads nowhere.
        lsn: Lsn,
        /// What is wrong.
        reason: String,
    },
    /// More deltas than a chain may have.
    #[error(
        "page {page} of table {table} at LSN {lsn}: its chain would have more than {MAX_CHAIN} records; write a full page instead of one more delta"
    )]
    ChainTooLong {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// Where the chain was entered; the backlink, for a put.
        lsn: Lsn,
    },
    /// A put that contradicts itself or what is in the log.
    #[error("put page {page} of table {table}: {reason}")]
    BadPut {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// What is wrong and what to do.
        reason: String,
    },
    /// More bytes than one record may have.
    #[error("put page {page} of table {table}: {bytes} bytes, and a page has {MAX_PAGE_BYTES} at the most")]
    PageTooLarge {
        /// The table.
        table: u64,
        /// The page.
        page: u64,
        /// Its length, bytes.
        bytes: usize,
    },
    /// A table that is not the engine's.
    #[error("table {table} holds Plastron's own pages; choose a lower number")]
    Reserved {
        /// The table.
        table: u64,
    },
    /// An operation on LSNs that nobody has yet.
    #[error("{operation} LSN {lsn}: the log ends at {last}; only what was written can be")]
    Future {
        /// The verb.
        operation: &'static str,
        /// What was asked for.
        lsn: Lsn,
        /// The last LSN given.
        last: Lsn,
    },
    /// What was to be made durable has been abandoned.
    #[error("flush LSN {lsn}: it was abandoned")]
    Abandoned {
        /// The LSN.
        lsn: Lsn,
    },
    /// An abandon of what a completed checkpoint holds.
    #[error(
        "abandon above LSN {lsn}: the checkpoint at LSN {settled} is complete and stays; restore an older one instead"
    )]
    Settled {
        /// What was asked for.
        lsn: Lsn,
        /// The last completed checkpoint.
        settled: Lsn,
    },
    /// A segment could not be written. The log accepts nothing more.
    #[error(
        "the page log has failed for good: {object} could not be written: {source}; open the log again from its last checkpoint"
    )]
    Failed {
        /// The object that could not be written.
        object: String,
        /// Why.
        source: Arc<dyn std::error::Error + Send + Sync>,
        /// The kind of that.
        kind: ErrorKind,
    },
    /// A write to a log that is opened for reading.
    #[error("{operation}: the page log is opened for reading; only its leader writes")]
    ReadOnly {
        /// The verb.
        operation: &'static str,
    },
    /// A call on a log that was closed.
    #[error("{operation}: the page log was closed")]
    Closed {
        /// The verb.
        operation: &'static str,
    },
    /// An epoch that can't write this log.
    #[error(
        "epoch {epoch} cannot write a log whose last LSN is {last}, of epoch {}; a writer needs a higher one, up to {MAX_EPOCH}",
        last.epoch()
    )]
    Epoch {
        /// The writer's epoch.
        epoch: u64,
        /// The last LSN in use.
        last: Lsn,
    },
    /// The LSNs of an epoch are used up.
    #[error("the LSNs of epoch {epoch} are used up; publish the leader again under the next epoch")]
    Exhausted {
        /// The epoch.
        epoch: u64,
    },
    /// Bytes that are not what was written.
    #[error("corrupt: {object}, bytes {start}..{end}; the check that failed: {check}")]
    Corrupt {
        /// The object, or what the bytes are.
        object: String,
        /// First byte concerned.
        start: u64,
        /// One past the last.
        end: u64,
        /// Which check failed, with expected and found values.
        check: String,
    },
    /// An object of a later version of Plastron.
    #[error("{object} has version {version} of its format, and this program reads up to {supported}; use a newer one")]
    Newer {
        /// The object.
        object: String,
        /// Its version.
        version: u16,
        /// The newest version that is read.
        supported: u16,
    },
    /// Options that contradict each other.
    #[error("{0}")]
    Options(String),
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] plastron_sources::Error),
    /// The key-management module failed, or its key does not open what was sealed.
    #[error(transparent)]
    Keys(#[from] plastron_keys::Error),
}

impl PageLogFault {
    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::Discarded { .. } | Self::Trimmed { .. } => ErrorKind::NotFound,
            Self::NotYet { .. } => ErrorKind::Unavailable,
            Self::BrokenChain { .. } | Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::ChainTooLong { .. }
            | Self::BadPut { .. }
            | Self::Reserved { .. }
            | Self::PageTooLarge { .. }
            | Self::Future { .. }
            | Self::Epoch { .. }
            | Self::Settled { .. }
            | Self::Options(_) => ErrorKind::Invalid,
            Self::Abandoned { .. } => ErrorKind::Conflict,
            Self::ReadOnly { .. } | Self::Closed { .. } | Self::Exhausted { .. } | Self::Newer { .. } => {
                ErrorKind::Unsupported
            }
            Self::Failed { kind, .. } => *kind,
            Self::Keys(error) => error.kind(),
            Self::Bucket(error) => error.kind(),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable() && !matches!(self, Self::Failed { .. })
    }

    /// The same, but an object that is not there is damage: whoever reads a page takes `NotFound` for a page that is not there.
    pub(crate) fn of_gone(self) -> Self {
        match self {
            Self::Bucket(error) if error.kind() == ErrorKind::NotFound => Self::Corrupt {
                object: error.target().to_owned(),
                start: 0,
                end: 0,
                check: "it is not there; another leader has taken over and collected it, or the checkpoint that is being read is no longer retained or pinned, or it was removed by hand"
                    .to_owned(),
            },
            other => other,
        }
    }

    /// What a decoder found wrong in `object`.
    pub(crate) fn damaged(object: impl Into<String>, damage: Damage) -> Self {
        let object = object.into();
        match damage {
            Damage::Corrupt { start, end, check } => Self::Corrupt { object, start, end, check },
            Damage::Newer { version, supported } => Self::Newer { object, version, supported },
        }
    }
}
