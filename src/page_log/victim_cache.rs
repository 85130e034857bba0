//! The victim cache: full images of pages that the engine evicted and may want back, kept in memory and nowhere else.

use super::chain::Chain;
use super::lsn::Lsn;
use super::memory_segment::RECORD_COST;
use super::record::Key;

/// Images by table, page and LSN. What is found is taken out: the engine has it again.
#[derive(Debug)]
pub(crate) struct VictimCache(Option<moka::sync::Cache<Key, Chain>>);

impl VictimCache {
    /// A cache of so many bytes; 0 for none.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |_: &Key, chain: &Chain| u32::try_from(chain.bytes() as u64 + RECORD_COST).unwrap_or(u32::MAX);
        Self((bytes > 0).then(|| moka::sync::Cache::builder().weigher(weigh).max_capacity(bytes).build()))
    }

    pub(crate) fn is_available(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn put(&self, key: Key, image: Chain) {
        if let Some(cache) = &self.0 {
            cache.insert(key, image);
        }
    }

    pub(crate) fn has(&self, table: u64, page: u64, lsn: Lsn) -> bool {
        self.0.as_ref().is_some_and(|cache| cache.contains_key(&Key::new(table, page, lsn)))
    }

    pub(crate) fn take(&self, table: u64, page: u64, lsn: Lsn) -> Option<Chain> {
        self.0.as_ref()?.remove(&Key::new(table, page, lsn))
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        if let Some(cache) = &self.0 {
            cache.invalidate_all();
        }
    }
}
