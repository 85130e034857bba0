//! What is known about a completed checkpoint.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use plastron_registry::{CheckpointString, Turtle, Version};

use crate::page_log::Lsn;

/// What is known about a completed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// The number of its turtle. The same checkpoint comes again under a later number when a leader takes over.
    pub sequence: u64,
    /// The epoch of the leader that published it, as the registry counts.
    pub epoch: u64,
    /// The LSN of its completion: it holds everything up to there that was not abandoned.
    pub lsn: Lsn,
    /// The LSN of its turtle page, which names it; none for one that was completed without.
    pub turtle_page_lsn: Lsn,
    /// The LSN of the metadata's root page; none if the engine has none.
    pub metadata_lsn: Lsn,
    /// The LSN of the KEK page in force; none if there is none.
    pub kek_lsn: Lsn,
    /// When it was completed, by its leader's clock.
    pub written: SystemTime,
    /// Its timestamp, in whatever unit the engine counts; 0 for none.
    pub timestamp: u64,
    /// The oldest timestamp in it; 0 for none.
    pub oldest_timestamp: u64,
    /// What the engine wanted to have back.
    pub engine_metadata: Bytes,
}

impl CheckpointInfo {
    pub(crate) fn of(version: Version, turtle: &Turtle) -> Self {
        Self {
            sequence: version.sequence,
            epoch: version.epoch,
            lsn: Lsn::new(turtle.checkpoint_lsn),
            turtle_page_lsn: Lsn::new(turtle.turtle_page_lsn),
            metadata_lsn: Lsn::new(turtle.metadata_lsn),
            kek_lsn: Lsn::new(turtle.kek.as_ref().map_or(0, |kek| kek.lsn)),
            written: SystemTime::UNIX_EPOCH + Duration::from_millis(turtle.written_ms),
            timestamp: turtle.timestamp,
            oldest_timestamp: turtle.oldest_timestamp,
            engine_metadata: turtle.engine_metadata.clone(),
        }
    }

    /// The string that names it to an application; none for a checkpoint without a turtle page. That of its leader has the page's checksum,
    /// too.
    pub fn string(&self) -> Option<CheckpointString> {
        let metadata_lsn = Some(self.turtle_page_lsn.get()).filter(|lsn| *lsn > 0)?;
        Some(CheckpointString { metadata_lsn, metadata_checksum: None, database_size: None })
    }
}
