//! One file of the cache, as far as it is known in memory. About 150 bytes for each.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::BlockName;

/// What file systems allocate in: a file is charged for its length rounded up to this.
const PAGE_BYTES: u64 = 4 << 10;

/// Bytes that a file of `len` bytes is charged for.
pub(crate) fn charge_of(len: u64) -> u64 {
    len.next_multiple_of(PAGE_BYTES)
}

/// A file that is, or very lately was, in the directory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: BlockName,
    /// Bytes it counts for.
    pub(crate) charge: u64,
    /// Which pass over the directory saw it last.
    pub(crate) seen: AtomicU32,
    /// Reads under way; while there are any it is not evicted.
    pins: AtomicU32,
    /// Times it was read since it came or was last spared, up to [`Entry::MOST_TOUCHES`].
    touches: AtomicU8,
    /// Whether it was taken out of the accounts. Changed under the ledger's lock.
    pub(super) gone: AtomicBool,
    /// Whether it stands in the ledger's main queue. Changed under the ledger's lock.
    pub(super) in_main: AtomicBool,
    file: Mutex<Option<Arc<File>>>,
    /// Whether the open file was used since the ring of open files last looked.
    file_used: AtomicBool,
}

impl Entry {
    const MOST_TOUCHES: u8 = 3;

    /// A file of `charge` bytes.
    pub(crate) fn new(name: BlockName, charge: u64, touches: u8) -> Arc<Self> {
        Arc::new(Self {
            name,
            charge,
            seen: AtomicU32::new(0),
            pins: AtomicU32::new(0),
            touches: AtomicU8::new(touches),
            gone: AtomicBool::new(false),
            in_main: AtomicBool::new(false),
            file: Mutex::new(None),
            file_used: AtomicBool::new(false),
        })
    }

    /// Counts a read.
    pub(crate) fn touch(&self) {
        let touches = self.touches.load(Ordering::Relaxed);
        if touches < Self::MOST_TOUCHES {
            self.touches.store(touches + 1, Ordering::Relaxed);
        }
    }

    /// Takes one read off the count; false if there was none.
    pub(super) fn spare(&self) -> bool {
        self.touches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |touches| touches.checked_sub(1)).is_ok()
    }

    /// Forgets all reads; false if there were none.
    pub(super) fn promote(&self) -> bool {
        self.touches.swap(0, Ordering::Relaxed) > 0
    }

    /// Whether a read is under way. Only under the index's lock does a `false` last.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) > 0
    }

    /// The open file, if it is open.
    pub(crate) fn file(&self) -> Option<Arc<File>> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        if !self.file_used.load(Ordering::Relaxed) {
            self.file_used.store(true, Ordering::Relaxed);
        }
        Some(file)
    }

    /// Keeps `file` open; false if one was kept already.
    pub(super) fn keep_open(&self, file: &Arc<File>) -> bool {
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let new = kept.is_none();
        *kept = Some(Arc::clone(file));
        new
    }

    /// Whether the open file was used since this was last asked.
    pub(super) fn take_file_used(&self) -> bool {
        self.file_used.swap(false, Ordering::Relaxed)
    }

    /// Closes the file, once the last read of it ends.
    pub(crate) fn close(&self) -> bool {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// A read under way: keeps an entry from being evicted.
#[derive(Debug)]
pub(crate) struct Pin(Arc<Entry>);

impl Pin {
    /// To be called under the index's lock.
    pub(super) fn new(entry: &Arc<Entry>) -> Self {
        entry.pins.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(entry))
    }

    /// What is pinned.
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.pins.fetch_sub(1, Ordering::AcqRel);
    }
}
