//! What an engine says about a checkpoint.

use bytes::Bytes;
use plastron_config::Config;
use plastron_registry::{KeyProvider, TurtlePage};

use crate::page_log::Lsn;

/// What an engine says about a checkpoint that it wants done as a whole, by [`Leader::checkpoint`](super::Leader::checkpoint).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckpointRequest {
    /// The LSN of the metadata's root page, the last page that the engine has put; none if it has none.
    pub metadata_lsn: Lsn,
    /// What the engine wants to read in the turtle page: what stands in the brackets of `checkpoint=(…)`.
    pub root: Config,
    /// Its timestamp, in whatever unit the engine counts; 0 for none.
    pub timestamp: u64,
    /// The oldest timestamp in it, if there is one.
    pub oldest_timestamp: Option<u64>,
    /// The largest number of a file, if there is one.
    pub largest_file_id: Option<u64>,
    /// What the engine wants to have back with it, 1 MiB at the most.
    pub engine_metadata: Bytes,
}

impl CheckpointRequest {
    /// A checkpoint whose metadata's root page was put at `metadata_lsn`.
    pub fn new(metadata_lsn: Lsn) -> Self {
        Self { metadata_lsn, ..Self::default() }
    }

    /// With a timestamp.
    #[must_use]
    pub fn timestamp(mut self, timestamp: u64) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// With what the engine wants to have back.
    #[must_use]
    pub fn engine_metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.engine_metadata = metadata.into();
        self
    }

    /// The turtle page that says so.
    pub(crate) fn turtle_page(&self, kek_lsn: Lsn) -> TurtlePage {
        TurtlePage {
            checkpoint: self.root.clone(),
            timestamp: self.timestamp,
            oldest_timestamp: self.oldest_timestamp,
            largest_file_id: self.largest_file_id,
            key_provider: (!kek_lsn.is_none()).then(|| KeyProvider { lsn: kek_lsn.get() }),
        }
    }

    pub(crate) fn completion(&self, turtle_page_lsn: Lsn) -> Completion {
        Completion {
            turtle_page_lsn,
            metadata_lsn: self.metadata_lsn,
            timestamp: self.timestamp,
            oldest_timestamp: self.oldest_timestamp.unwrap_or(0),
            engine_metadata: self.engine_metadata.clone(),
        }
    }
}

/// What an engine that drives the steps of a checkpoint itself says about the last one,
/// [`Leader::complete_checkpoint`](super::Leader::complete_checkpoint).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Completion {
    /// The LSN of the turtle page; none for a checkpoint without.
    pub turtle_page_lsn: Lsn,
    /// The LSN of the metadata's root page; none if the engine has none.
    pub metadata_lsn: Lsn,
    /// Its timestamp, in whatever unit the engine counts; 0 for none.
    pub timestamp: u64,
    /// The oldest timestamp in it; 0 for none.
    pub oldest_timestamp: u64,
    /// What the engine wants to have back with it, 1 MiB at the most.
    pub engine_metadata: Bytes,
}
