//! The tree's pages, from the database through a cache of bounded size.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::tables::Tables;
use crate::merkle::{Page, PageId, PageSource};
use crate::{Error, Result};

/// Parts with a lock each, so that lookups seldom wait for each other.
const SHELVES: usize = 8;
/// About what the cache's own books take of a page, and the allocator.
const BOOK_BYTES: usize = 160;

/// Pages that were read or written lately. A page never changes, so what is in here is never wrong.
#[derive(Clone)]
pub struct PageCache(Arc<[Mutex<Shelf>; SHELVES]>);

impl std::fmt::Debug for PageCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageCache")
    }
}

impl PageCache {
    /// A cache of about `bytes` bytes.
    pub fn new(bytes: u64) -> Self {
        let room = usize::try_from(bytes).unwrap_or(usize::MAX) / SHELVES;
        Self(Arc::new(std::array::from_fn(|_| Mutex::new(Shelf { room, ..Shelf::default() }))))
    }

    fn on_shelf<T>(&self, id: PageId, work: impl FnOnce(&mut Shelf) -> T) -> Option<T> {
        let shelf = self.0.get(id as usize % SHELVES)?;
        // Whoever panicked here has at most lost a page from the cache.
        Some(work(&mut shelf.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn get(&self, id: PageId) -> Option<Arc<Page>> {
        self.on_shelf(id, |shelf| shelf.get(id)).flatten()
    }

    pub(crate) fn insert(&self, id: PageId, page: Arc<Page>) {
        self.on_shelf(id, |shelf| shelf.insert(id, page));
    }

    /// The newest tree no longer has that page: what replaces it is wanted more.
    pub(crate) fn remove(&self, id: PageId) {
        self.on_shelf(id, |shelf| shelf.remove(id));
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.0.iter().map(|shelf| shelf.lock().unwrap().taken).sum()
    }
}

struct Held {
    id: PageId,
    page: Arc<Page>,
    /// Since the hand came by last.
    used: bool,
}

impl Held {
    fn bytes(&self) -> usize {
        self.page.memory() + BOOK_BYTES
    }
}

/// Pages in a circle. To make room a hand goes around, and takes the first that was not used since it came by before.
#[derive(Default)]
struct Shelf {
    room: usize,
    taken: usize,
    places: HashMap<PageId, usize>,
    held: Vec<Held>,
    hand: usize,
}

impl Shelf {
    fn get(&mut self, id: PageId) -> Option<Arc<Page>> {
        let held = self.held.get_mut(*self.places.get(&id)?)?;
        held.used = true;
        Some(Arc::clone(&held.page))
    }

    fn insert(&mut self, id: PageId, page: Arc<Page>) {
        let new = Held { id, page, used: false };
        if self.places.contains_key(&id) || new.bytes() > self.room {
            return;
        }
        self.taken += new.bytes();
        while self.taken > self.room {
            let Some(held) = self.held.get_mut(self.hand) else {
                self.hand = 0;
                continue;
            };
            if std::mem::take(&mut held.used) {
                self.hand += 1;
            } else {
                let id = held.id;
                self.remove(id);
            }
        }
        self.places.insert(id, self.held.len());
        self.held.push(new);
    }

    fn remove(&mut self, id: PageId) {
        let Some(place) = self.places.remove(&id).filter(|place| *place < self.held.len()) else { return };
        self.taken -= self.held.swap_remove(place).bytes();
        if let Some(moved) = self.held.get(place) {
            self.places.insert(moved.id, place);
        }
    }
}

/// The pages in a database or snapshot.
pub(crate) struct PageStore<'a> {
    pub(crate) tables: Tables<'a>,
    pub(crate) cache: &'a PageCache,
}

impl PageSource for PageStore<'_> {
    fn page(&self, id: PageId) -> Result<Arc<Page>> {
        if let Some(page) = self.cache.get(id) {
            return Ok(page);
        }
        let missing = || Error::Corrupt { what: "tree", offset: 0, check: format!("page {id} is missing") };
        let page = Arc::new(Page::decode(&self.tables.page(id)?.ok_or_else(missing)?)?);
        self.cache.insert(id, Arc::clone(&page));
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_held_than_there_is_room_for_and_what_is_used_stays() {
        let bytes = 64 * 1024;
        let cache = PageCache::new(bytes as u64);
        for id in 0..10_000_u64 {
            cache.insert(id, Arc::new(Page::default()));
            assert!(cache.bytes() <= bytes);
            // The first ones are asked for again and again.
            assert!((0..=id.min(7)).all(|id| cache.get(id).is_some()), "{id}");
        }
        assert!(cache.bytes() > bytes / 2 && cache.get(5_000).is_none() && cache.get(9_999).is_some());
        for id in 0..10_000 {
            cache.remove(id);
            assert!(cache.get(id).is_none());
        }
        assert_eq!(cache.bytes(), 0);
        cache.insert(1, Arc::new(Page::default()));
        assert!(cache.get(1).is_some());
    }

    #[test]
    fn a_page_that_has_no_room_is_not_held() {
        let cache = PageCache::new(0);
        cache.insert(1, Arc::new(Page::default()));
        assert!(cache.get(1).is_none() && cache.bytes() == 0);
    }
}
