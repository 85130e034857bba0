//! Which files are in the cache, what they cost together, and which goes next.
//!
//! Eviction is S3-FIFO ([Yang et al., SOSP 2023](https://dl.acm.org/doi/10.1145/3600006.3613147)): a new file enters a small queue;
//! when it reaches the end it moves to the main queue if it was read meanwhile, and is evicted and remembered as a ghost if not; a
//! ghost that comes back enters the main queue at once; the main queue gives a file one more round for each read, up to three. A
//! read only bumps a counter in its entry, so hits don't come here.
//!
//! Accounts are exact: `used` is the sum of the charges of all files that exist or may exist — known, being written, being
//! removed — at every moment. Room is made before a file is written: [`Ledger::reserve`] succeeds only below the limit, and an
//! evicted file counts until it has been removed ([`Ledger::released`]). An entry that leaves by any other way
//! ([`Ledger::forget`]) stays in its queue as a husk that is skipped, and husks are swept when they are the majority.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::Entry;
use super::ghost::Ghost;
use super::index::Index;
use super::layout::BlockName;
use crate::block_key::IntegerHash;

/// The small queue's share of the limit, as the paper has it: a tenth.
const SMALL_SHARE: u64 = 10;

/// Ghosts remembered at the least.
const FEWEST_GHOSTS: usize = 1 << 10;

/// Where a file enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the very end of the small queue: next to go.
    Last,
    /// The small queue.
    Small,
    /// The main queue.
    Main,
}

/// The books of one cache directory.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    used: u64,
    /// Of these, bytes that the file system may or may not have counted yet: being written, or being removed.
    in_motion: u64,
    /// Bytes of all files that ever were certain and then began to go.
    left: u64,
    small: VecDeque<Arc<Entry>>,
    small_bytes: u64,
    main: VecDeque<Arc<Entry>>,
    husks: usize,
    ghost: Ghost,
}

/// Bytes of all files but those that are being written or removed: what the file system counts as well, for certain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    pub(crate) bytes: u64,
    left: u64,
}

fn fingerprint(name: &BlockName) -> u64 {
    IntegerHash.hash_one(name)
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.lock().used
    }

    /// What is certain to be there now.
    pub(crate) fn settled(&self) -> Settled {
        let books = self.lock();
        Settled { bytes: books.used.saturating_sub(books.in_motion), left: books.left }
    }

    /// Of what was `settled`, the bytes that are certain to be there still.
    pub(crate) fn left_of(&self, settled: Settled) -> u64 {
        settled.bytes.saturating_sub(self.lock().left.saturating_sub(settled.left))
    }

    /// Sets `bytes` aside for a file that is about to be written, if they fit under `limit`.
    pub(crate) fn reserve(&self, bytes: u64, limit: u64) -> bool {
        let mut books = self.lock();
        let after = books.used.saturating_add(bytes);
        let fits = after <= limit;
        if fits {
            books.used = after;
            books.in_motion += bytes;
        }
        fits
    }

    /// Ends a reservation without a file, or an eviction with the file gone.
    pub(crate) fn released(&self, bytes: u64) {
        let mut books = self.lock();
        books.used = books.used.saturating_sub(bytes);
        books.in_motion = books.in_motion.saturating_sub(bytes);
    }

    /// Ends a reservation with a file that has been written, or an eviction with the file still there.
    pub(crate) fn enter(&self, entry: &Arc<Entry>, place: Place) {
        let mut books = self.lock();
        books.in_motion = books.in_motion.saturating_sub(entry.charge);
        books.enter(entry, place);
    }

    /// Enters a file that was found, charging it.
    pub(crate) fn adopt(&self, entry: &Arc<Entry>, place: Place) {
        let mut books = self.lock();
        books.used = books.used.saturating_add(entry.charge);
        books.enter(entry, place);
    }

    /// Takes `entry` out of the accounts because its file is gone; false if that was done already.
    pub(crate) fn forget(&self, entry: &Entry) -> bool {
        let mut books = self.lock();
        if entry.gone.swap(true, Ordering::AcqRel) {
            return false;
        }
        books.used = books.used.saturating_sub(entry.charge);
        books.left = books.left.saturating_add(entry.charge);
        if !entry.in_main.load(Ordering::Relaxed) {
            books.small_bytes = books.small_bytes.saturating_sub(entry.charge);
        }
        books.husks += 1;
        if books.husks > 1024 && books.husks > (books.small.len() + books.main.len()) / 2 {
            books.sweep();
        }
        true
    }

    /// Chooses the file to evict next and takes it out of queues and `index`. It counts until it is removed. `None` if all are
    /// being read.
    pub(crate) fn pick(&self, limit: u64, index: &Index) -> Option<Arc<Entry>> {
        let mut books = self.lock();
        // Every entry may be spared three times and met once more.
        let steps = 2 * books.small.len() + 5 * books.main.len() + 2;
        let victim = (0..steps).find_map(|_| books.step(limit, index))?;
        books.in_motion += victim.charge;
        books.left = books.left.saturating_add(victim.charge);
        Some(victim)
    }

    /// Where a file named `name` enters now: a ghost has earned its place.
    pub(crate) fn place_of(&self, name: &BlockName) -> Place {
        if self.lock().ghost.recall(fingerprint(name)) { Place::Main } else { Place::Small }
    }

    /// Whether `name` was here or turned away lately; if not, it is remembered as turned away now.
    pub(crate) fn seen_before(&self, name: &BlockName) -> bool {
        let mut books = self.lock();
        let seen = books.ghost.recall(fingerprint(name));
        books.remember(name);
        seen
    }
}

impl Books {
    fn enter(&mut self, entry: &Arc<Entry>, place: Place) {
        entry.in_main.store(place == Place::Main, Ordering::Relaxed);
        if place == Place::Main {
            self.main.push_back(Arc::clone(entry));
            return;
        }
        self.small_bytes += entry.charge;
        if place == Place::Last {
            self.small.push_front(Arc::clone(entry));
        } else {
            self.small.push_back(Arc::clone(entry));
        }
    }

    fn remember(&mut self, name: &BlockName) {
        let capacity = (self.small.len() + self.main.len()).max(FEWEST_GHOSTS);
        self.ghost.remember(fingerprint(name), capacity);
    }

    /// Looks at one entry; returns it if it is the one to go.
    fn step(&mut self, limit: u64, index: &Index) -> Option<Arc<Entry>> {
        let from_small = self.small_bytes > limit / SMALL_SHARE || self.main.is_empty();
        if from_small && !self.small.is_empty() { self.step_small(index) } else { self.step_main(index) }
    }

    fn step_small(&mut self, index: &Index) -> Option<Arc<Entry>> {
        let entry = self.small.pop_front()?;
        if entry.gone.load(Ordering::Relaxed) {
            self.husks = self.husks.saturating_sub(1);
            return None;
        }
        if entry.promote() {
            self.small_bytes = self.small_bytes.saturating_sub(entry.charge);
            entry.in_main.store(true, Ordering::Relaxed);
            self.main.push_back(entry);
            return None;
        }
        if !index.remove(&entry, true) {
            self.small.push_back(entry);
            return None;
        }
        self.small_bytes = self.small_bytes.saturating_sub(entry.charge);
        self.remember(&entry.name);
        entry.gone.store(true, Ordering::Release);
        Some(entry)
    }

    fn step_main(&mut self, index: &Index) -> Option<Arc<Entry>> {
        let entry = self.main.pop_front()?;
        if entry.gone.load(Ordering::Relaxed) {
            self.husks = self.husks.saturating_sub(1);
            return None;
        }
        if entry.spare() || !index.remove(&entry, true) {
            self.main.push_back(entry);
            return None;
        }
        entry.gone.store(true, Ordering::Release);
        Some(entry)
    }

    fn sweep(&mut self) {
        self.small.retain(|entry| !entry.gone.load(Ordering::Relaxed));
        self.main.retain(|entry| !entry.gone.load(Ordering::Relaxed));
        self.husks = 0;
    }
}

#[cfg(test)]
#[path = "ledger_test.rs"]
mod tests;
