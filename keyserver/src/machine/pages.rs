//! The tree's pages, from the database through a cache of bounded size.

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::tables::Tables;
use crate::merkle::{Page, PageId, PageSource};
use crate::{Error, Result};

/// Pages that were read lately. A page never changes, so what is in here is never wrong.
#[derive(Clone)]
pub struct PageCache(Cache<PageId, Arc<Page>>);

impl std::fmt::Debug for PageCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageCache")
    }
}

impl PageCache {
    /// A cache of about `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        // A page is as large as it is, and the cache's own books take about as much as a few digests.
        let each = size_of::<Page>() as u64 + 160;
        // The least recently used goes: each epoch replaces pages that were used often, and by frequency these would stay, and keep out what replaces them.
        Self(Cache::builder().max_capacity(bytes / each).eviction_policy(EvictionPolicy::lru()).build())
    }

    pub(crate) fn insert(&self, id: PageId, page: Page) {
        self.0.insert(id, Arc::new(page));
    }
}

/// The pages in a database or snapshot.
pub(crate) struct PageStore<'a> {
    pub(crate) tables: Tables<'a>,
    pub(crate) cache: &'a PageCache,
}

impl PageSource for PageStore<'_> {
    fn page(&self, id: PageId) -> Result<Arc<Page>> {
        if let Some(page) = self.cache.0.get(&id) {
            return Ok(page);
        }
        let missing = || Error::Corrupt { what: "tree", offset: 0, check: format!("page {id} is missing") };
        let page = Arc::new(Page::decode(&self.tables.page(id)?.ok_or_else(missing)?)?);
        self.cache.0.insert(id, Arc::clone(&page));
        Ok(page)
    }
}
