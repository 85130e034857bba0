//! The page log: the ordered record of page writes in which a database engine keeps its pages in a bucket.
//!
//! # What it is made of
//! Every write — a full page, a delta on top of one, a tombstone, a trim — is a [record](RecordKind) with an [`Lsn`] of its own, strictly
//! increasing, never used twice. Records are gathered in memory and written as *segments*: immutable objects that hold a run of
//! records, an index of them, and checksums over all of it. The indexes of segments are merged into *index runs*, immutable as
//! well, so that any record ever written is found by looking into one block of one run. What the log is made of at a
//! moment is its [`LogState`]: a list of runs, and of the segments that are in none yet. That list is small, and is
//! what a turtle object publishes.
//!
//! # The way of a page
//! ```text
//! put ── LSN, open segment ──────── seal ── upload (several at once) ── durable LSN ── index run
//!  │        (memory)   └ encode, encrypt,     (bounded by `memory`)                    (background)
//!  │                     write ahead
//!  └─ readable at once ──────────────────────────────────────────────────────────────────────────────▶
//! ```
//! * **Acceptance is not durability.** `put` returns when the record is in memory; the durable LSN says up to where
//!   everything is in the bucket, without gaps.
//! * **A segment is sealed** when it is large enough, old enough, waited for, or when the memory is used up.
//! * **Memory is bounded**: a put waits when unsealed and uploading segments hold as many bytes as they may.
//! * **A segment that can't be written ends the log.** Every later write says so, and names the object. There is no gap that could be
//!   filled later, and nothing that was not acknowledged is lost in silence.
//!
//! # How a page is found
//! From newest to oldest: the open segment, sealed ones, segments in the bucket whose indexes are in memory, runs. The LSNs of these
//! levels don't overlap, so a record whose LSN is known — and a chain gives the LSN of every next record — is in one level only, and
//! costs one index block at most, and one ranged request for the record itself. The latest record of a page may be in any; the runs'
//! filters say, almost always rightly, in which there is nothing of it.
//!
//! # Formats
//! `codec` has the formats, and `docs/src/formats/page-log.md` the byte tables.

mod block_pool;
mod chain;
mod codec;
mod dump;
mod durable;
mod early;
mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod in_use;
mod intake;
mod latest_cache;
mod log_object;
mod lsn;
mod memory_segment;
mod merge;
mod merge_cursor;
mod merger;
mod objects;
mod opening;
mod options;
mod page_ids;
#[allow(clippy::module_inception, reason = "the folder is named after its main type, and so is the file")]
mod page_log;
mod put_args;
mod reach;
mod reader;
mod record;
mod record_cache;
mod run;
mod run_writer;
mod segment_keys;
mod shared;
mod table;
mod trims;
mod verify;
mod victim_cache;
mod writer;

#[cfg(test)]
mod behaviour_test;
#[cfg(test)]
mod early_test;
#[cfg(test)]
mod fault_test;
#[cfg(test)]
mod latest_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod testing;

pub use chain::{Chain, ChainRecord};
pub use codec::{LogState, RunRef, SegmentRef, Trim};
pub use dump::DumpedRecord;
pub use fault::PageLogFault;
pub(crate) use in_use::InUse;
pub(crate) use log_object::LogObject;
pub use lsn::{Lsn, MAX_EPOCH};
pub use options::PageLogOptions;
pub use page_log::{PageLog, PageLogParts, PageLogStats};
pub use put_args::PutArgs;
pub(crate) use reach::Reach;
pub use record::{MAX_CHAIN, MAX_PAGE_BYTES, PageFlags, RecordKind};
pub use table::TableHandle;
pub use verify::LogVerification;
