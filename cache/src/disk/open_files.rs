//! A bounded number of open files, so that a block that is read again costs no `open` and `close`.
//!
//! Opening and closing takes about 3 µs, a tenth of reading and verifying a block of 256 KiB, but twice as much as all the
//! rest with a block of 4 KiB. The files themselves are kept in their entries; this ring only decides which to close: the one
//! opened longest ago that was not used since the ring last came by (CLOCK).
//!
//! A file that another process removed keeps its space until it is closed, so the ring is bounded by bytes as well.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::entry::Entry;

/// Files kept open at the most; a quarter of the usual limit of a process.
const MOST_FILES: u64 = 256;

/// Bytes in open files at the most.
const MOST_BYTES: u64 = 64 << 20;

/// The ring.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    capacity: usize,
    ring: Mutex<VecDeque<Weak<Entry>>>,
}

impl OpenFiles {
    /// For files of `block_bytes`.
    pub(crate) fn new(block_bytes: u64) -> Self {
        let capacity = (MOST_BYTES / block_bytes).clamp(2, MOST_FILES) as usize;
        Self { capacity, ring: Mutex::default() }
    }

    /// Keeps `file` of `entry` open for the next read.
    pub(crate) fn keep(&self, entry: &Arc<Entry>, file: &Arc<File>) {
        if !entry.keep_open(file) {
            return;
        }
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.push_back(Arc::downgrade(entry));
        // At the worst every file was used: the first one met again is closed.
        for _ in 0..=2 * self.capacity {
            if ring.len() <= self.capacity {
                break;
            }
            let Some(oldest) = ring.pop_front().and_then(|entry| entry.upgrade()) else { continue };
            if oldest.take_file_used() {
                ring.push_back(Arc::downgrade(&oldest));
            } else {
                oldest.close();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::layout::BlockName;

    #[test]
    fn no_more_than_so_many_are_open_and_the_used_ones_stay() {
        let ring = OpenFiles::new(16 << 20);
        assert_eq!(ring.capacity, 4);
        let file = Arc::new(tempfile::tempfile().unwrap());
        let entries: Vec<_> =
            (0..50).map(|block| Entry::new(BlockName { digest: 0, shift: 24, block }, 1, 0)).collect();
        ring.keep(&entries[0], &file);
        for entry in &entries[1..] {
            entries[0].file().expect("it is used every time");
            ring.keep(entry, &file);
            assert!(Arc::strong_count(&file) <= 1 + 5);
        }
        entries.iter().for_each(|entry| drop(entry.file()));
        for block in 50..100 {
            ring.keep(&Entry::new(BlockName { digest: 0, shift: 24, block }, 1, 0), &file);
        }
        assert!(ring.ring.lock().unwrap().len() <= 4);
    }
}
