//! Listing page by page, with any string as prefix.
//!
//! A page's token names the last entry, so that a listing can go on anywhere, also after a restart. But a directory is not read
//! from a given name on: it is read whole and sorted, and that for each page would be too much. So the listing that was asked last is kept
//! and goes on where it was if its token comes next. It holds what [`list`](super::list) bounds, and no more than one is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ListResult;
use object_store::list::{PaginatedListOptions, PaginatedListResult};

use super::fault::error;
use super::list::{Listed, Lister};
use super::tree::Tree;
use crate::error::Fault;

/// Entries of a page, and the most that are put into one.
const PAGE: usize = 1000;
const PAGE_MAX: usize = 10_000;

/// The listing that goes on if it is asked for.
#[derive(Debug, Default)]
pub(super) struct Paused {
    listing: Mutex<Option<(u64, Box<Lister>)>>,
    count: AtomicU64,
}

impl Paused {
    /// The next page. Blocks.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for a delimiter other than a slash, and what [`Lister::next`] says.
    pub(super) fn page(
        &self,
        tree: &Arc<Tree>,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> object_store::Result<PaginatedListResult> {
        if options.delimiter.as_ref().is_some_and(|delimiter| delimiter != "/") {
            return Err(error("", Fault::Unsupported("a directory bucket lists by the delimiter / only".to_owned())));
        }
        let (paused, after) = match &options.page_token {
            Some(token) => {
                let (id, last) = token.split_once('/').unwrap_or_default();
                (self.resume(id), Some(last.to_owned()))
            }
            None => (None, options.offset),
        };
        let prefix = prefix.unwrap_or_default().to_owned();
        let begin = || Box::new(Lister::new(Arc::clone(tree), prefix, after, options.delimiter.is_some()));
        let mut lister = paused.unwrap_or_else(begin);
        let limit = options.max_keys.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let mut result =
            ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: Default::default() };
        let mut last = String::new();
        for _ in 0..limit {
            match lister.next() {
                None => return Ok(PaginatedListResult { result, page_token: None }),
                Some(listed) => match listed? {
                    Listed::Object(meta) => {
                        last = meta.location.to_string();
                        result.objects.push(meta);
                    }
                    Listed::Prefix(path) => {
                        last = format!("{path}/");
                        result.common_prefixes.push(path);
                    }
                },
            }
        }
        let page_token = Some(format!("{}/{last}", self.pause(lister)));
        Ok(PaginatedListResult { result, page_token })
    }

    fn pause(&self, lister: Box<Lister>) -> u64 {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        *self.listing.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, lister));
        id
    }

    fn resume(&self, id: &str) -> Option<Box<Lister>> {
        let id: u64 = id.parse().ok()?;
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        listing.take_if(|(paused, _)| *paused == id).map(|(_, lister)| lister)
    }
}
