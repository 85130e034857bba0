//! The demo engine's metadata: which file is in which table. One page, the last one put before every checkpoint.

use bytes::Bytes;
use plastron::page_log::{Lsn, PageLog};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};

/// The table of the metadata.
pub(super) const METADATA_TABLE: u64 = 0;
/// Its root page.
pub(super) const ROOT_PAGE: u64 = 0;

/// What a checkpoint holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The files, each in a table of its own.
    pub(super) files: Vec<Loaded>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loaded {
    /// Its table.
    pub(super) table: u64,
    /// Its name below the directory.
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
}

impl Manifest {
    /// The manifest at `lsn`; an empty one for no LSN.
    pub(super) async fn read(log: &PageLog, lsn: Lsn) -> Result<Self> {
        if lsn.is_none() {
            return Ok(Self::default());
        }
        let chain = log.table(METADATA_TABLE).get(ROOT_PAGE, lsn).await.map_err(plastron::Error::from)?;
        let bytes = chain.records.first().map(|record| record.bytes.clone()).unwrap_or_default();
        serde_json::from_slice(&bytes).map_err(|error| Failure::other(format!("the demo's metadata: {error}")))
    }

    /// The page.
    pub(super) fn page(&self) -> Result<Bytes> {
        let text = serde_json::to_vec(self);
        text.map(Bytes::from).map_err(|error| Failure::other(format!("the demo's metadata: {error}")))
    }

    /// Notes that a file is there, in place of an earlier one in its table.
    pub(super) fn add(&mut self, loaded: Loaded) {
        self.files.retain(|file| file.table != loaded.table);
        self.files.push(loaded);
    }
}
