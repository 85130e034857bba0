//! What one instance keeps, and how it changes.
//!
//! [`Record`] is what is on disk for one URL. [`Slot`] is what is staged for it, in memory only. The functions of `transaction` say, without any
//! input or output, what a call does to both: the service and the simulation of quorums run the very same ones.

#[cfg(test)]
#[cfg(feature = "service")]
mod crash_test;
#[cfg(feature = "service")]
mod database;
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
#[cfg(feature = "service")]
mod known;
mod record;
#[cfg(feature = "service")]
mod staging;
mod transaction;
#[cfg(test)]
mod transaction_test;

#[cfg(feature = "service")]
pub use database::Database;
#[cfg(feature = "service")]
pub use engine_options::EngineOptions;
#[cfg(feature = "service")]
pub use handle::CheckpointStore;
#[cfg(feature = "service")]
pub(crate) use record::MAX_PATH_BYTES;
pub use record::{Content, LastCommit, Operation, Record};
pub use transaction::{Slot, Staged, Write, commit, look, stage};
