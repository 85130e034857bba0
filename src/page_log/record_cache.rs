//! Records that were read lately, decoded, so that reading them again takes neither request, nor index, nor key.

use std::sync::Arc;

use super::lsn::Lsn;
use super::memory_segment::RECORD_COST;
use super::record::Record;

/// Records by generation and LSN: an abandon or a trim begins a generation, and what was read in an earlier one is not found any
/// more, whenever it was put in.
#[derive(Debug)]
pub(crate) struct RecordCache(Option<moka::sync::Cache<(u64, Lsn), Arc<Record>>>);

impl RecordCache {
    /// A cache of so many bytes; 0 for none.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |_: &(u64, Lsn), record: &Arc<Record>| {
            u32::try_from(record.payload.len() as u64 + RECORD_COST).unwrap_or(u32::MAX)
        };
        Self((bytes > 0).then(|| moka::sync::Cache::builder().weigher(weigh).max_capacity(bytes).build()))
    }

    pub(crate) fn get(&self, generation: u64, lsn: Lsn) -> Option<Arc<Record>> {
        self.0.as_ref()?.get(&(generation, lsn))
    }

    pub(crate) fn insert(&self, generation: u64, record: Arc<Record>) {
        if let Some(cache) = &self.0 {
            cache.insert((generation, record.key.lsn), record);
        }
    }
}
