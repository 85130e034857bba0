//! What one instance keeps, and how it changes.
//!
//! [`Record`] is what is on disk for one URL. [`Slot`] is what is staged for it, in memory only. The functions of `transaction` say, without any
//! input or output, what a call does to both: the service and the simulation of quorums run the very same ones.

#[cfg(test)]
#[cfg(feature = "service")]
mod crash_test;
#[cfg(feature = "service")]
mod database;
#[cfg(test)]
#[cfg(feature = "service")]
mod database_test;
#[cfg(feature = "service")]
mod decisions;
#[cfg(feature = "service")]
#[cfg(test)]
mod decisions_test;
#[cfg(feature = "service")]
mod engine;
#[cfg(feature = "service")]
mod engine_options;
#[cfg(feature = "service")]
mod handle;
mod journal;
#[cfg(feature = "service")]
mod known;
#[cfg(feature = "service")]
mod opening;
mod record;
#[cfg(test)]
#[cfg(feature = "service")]
mod sim_disk;
#[cfg(feature = "service")]
mod staging;
#[cfg(feature = "service")]
mod tables;
mod transaction;
#[cfg(test)]
mod transaction_test;
#[cfg(feature = "service")]
mod unmoved;

#[cfg(feature = "service")]
pub use database::Database;
#[cfg(feature = "service")]
pub use engine_options::EngineOptions;
#[cfg(feature = "service")]
pub use handle::CheckpointStore;
pub(crate) use journal::{BLOCK_BYTES, EntryWriter, Frame, Generation, Header, replay};
#[cfg(feature = "service")]
pub(crate) use record::MAX_PATH_BYTES;
pub use record::{Content, LastCommit, Operation, Record};
pub use transaction::{Slot, Staged, Write, commit, look, stage};
