//! The disk part as the rest of the cache sees it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use plastron_sources::clock::{Clock, Entropy};

use super::block_file::{self, LONGEST_PART_BYTES};
use super::entry::Entry;
use super::index::Index;
use super::layout::{BlockName, Layout};
use super::ledger::Ledger;
use super::medium::{FileSystem, Medium};
use super::open_files::OpenFiles;
use super::pause::Pause;
use super::users::User;
use super::write_queue::{Offer, Pushed, WriteQueue};
use crate::buffers::Buffers;
use crate::geometry::Geometry;
use crate::known_objects::KnownObject;
use crate::options::Admission;
use crate::stats::{DiskState, Event, Stats};

/// Threads that write. One would do for most disks; two keep one slow write from filling the queue.
const WRITERS: usize = 2;

/// What a disk part is made from.
#[derive(Debug)]
pub(crate) struct DiskOptions {
    pub(crate) directory: PathBuf,
    pub(crate) size: u64,
    pub(crate) min_free: Option<u64>,
    pub(crate) admission: Admission,
    pub(crate) queue_bytes: u64,
    pub(crate) geometry: Geometry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// Blocks on disk, and the threads that look after them; dropping it waits for the write under way, and no longer.
pub(crate) struct Disk {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("root", &self.shared.layout.root()).finish_non_exhaustive()
    }
}

/// What readers, writers and the housekeeper share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: DiskOptions,
    pub(super) layout: Layout,
    pub(super) index: Index,
    pub(super) ledger: Ledger,
    pub(super) open_files: OpenFiles,
    pub(super) queue: WriteQueue,
    pub(super) pause: Pause,
    pub(super) medium: Arc<dyn Medium>,
    pub(super) buffers: Arc<Buffers>,
    pub(super) stats: Arc<Stats>,
    /// `None` only while the directory is being set up again.
    pub(super) user: Mutex<Option<User>>,
    pub(super) temporaries: AtomicU64,
    /// Number of the pass over the directory that is under way or was the last.
    pub(super) pass: AtomicU32,
    /// Whether the first pass is complete.
    pub(super) counted: AtomicBool,
    /// Whether somebody else uses the directory too.
    pub(super) company: AtomicBool,
    /// Whether the books may be wrong, so that a pass over the directory is due.
    pub(super) recount: AtomicBool,
    /// Whether the directory was found missing.
    pub(super) missing: AtomicBool,
    pub(super) bell: Bell,
}

/// Wakes the housekeeper.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) state: Mutex<BellState>,
    pub(super) rung: Condvar,
}

/// Why it was woken.
#[derive(Debug, Default)]
pub(super) struct BellState {
    pub(super) stop: bool,
    pub(super) look: bool,
}

impl Bell {
    pub(super) fn ring(&self, stop: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stop |= stop;
        state.look = true;
        self.rung.notify_all();
    }

    pub(super) fn stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop
    }
}

impl Disk {
    /// Opens the directory, creating it if need be, and starts the threads. Blocks for a few system calls, not for counting.
    pub(crate) fn open(options: DiskOptions, buffers: Arc<Buffers>, stats: Arc<Stats>) -> io::Result<Self> {
        Self::open_on(Arc::new(FileSystem), options, buffers, stats)
    }

    /// The same on any medium.
    pub(super) fn open_on(
        medium: Arc<dyn Medium>,
        options: DiskOptions,
        buffers: Arc<Buffers>,
        stats: Arc<Stats>,
    ) -> io::Result<Self> {
        let layout = Layout::create(&options.directory)?;
        let user = User::enter(&layout, &*options.entropy)?;
        let shared = Arc::new(Shared {
            index: Index::new(),
            ledger: Ledger::default(),
            open_files: OpenFiles::new(options.geometry.block_bytes() as u64),
            queue: WriteQueue::new(options.queue_bytes),
            pause: Pause::new(Arc::clone(&options.clock)),
            medium,
            buffers,
            stats,
            user: Mutex::new(Some(user)),
            temporaries: AtomicU64::new(0),
            pass: AtomicU32::new(0),
            counted: AtomicBool::new(false),
            company: AtomicBool::new(true),
            recount: AtomicBool::new(false),
            missing: AtomicBool::new(false),
            bell: Bell::default(),
            layout,
            options,
        });
        let mut disk = Self { shared, threads: Vec::new() };
        let keeper = Arc::clone(&disk.shared);
        disk.start("plastron-cache-keep", move || keeper.keep_house())?;
        for _ in 0..WRITERS {
            let writer = Arc::clone(&disk.shared);
            disk.start("plastron-cache-write", move || writer.write_all())?;
        }
        Ok(disk)
    }

    fn start(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }

    /// Whether the block is known to be here. Touches no file.
    pub(crate) fn has(&self, object: &KnownObject, block: u64) -> bool {
        self.shared.index.has(&self.shared.name(object, block))
    }

    /// Whether the block may be here: known, or possibly written by somebody else or by an earlier run.
    pub(crate) fn may_have(&self, object: &KnownObject, block: u64) -> bool {
        self.shared.may_hold_unknown() || self.has(object, block)
    }

    /// Where it was configured to be.
    pub(crate) fn directory(&self) -> &Path {
        &self.shared.options.directory
    }

    /// What readers use.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Puts a block in line to be written.
    pub(crate) fn offer(&self, offer: Offer) {
        let shared = &self.shared;
        let id = &offer.object.id;
        let name = shared.name(&offer.object, offer.block);
        if shared.index.has(&name) {
            return;
        }
        let too_long = [id.address(), id.name(), id.etag()].iter().any(|part| part.len() > LONGEST_PART_BYTES);
        if too_long || shared.pause.reason().is_some() || shared.queue.push(name, offer) == Pushed::Full {
            shared.stats.add(Event::DiskWritesDropped, 1);
        }
    }

    /// Ends when there is room in the queue for `bytes`, or nobody works on it.
    pub(crate) async fn room(&self, bytes: u64) {
        self.shared.queue.room(bytes).await;
    }

    /// Ends when what earlier runs left is counted, and everything offered so far is written or given up.
    pub(crate) async fn flush(&self) {
        self.shared.queue.settled().await;
    }

    /// Ends when nothing is being written, without waiting for the count.
    pub(crate) async fn idle(&self) {
        self.shared.queue.idle().await;
    }

    /// Removes the blocks of `object`. Blocks the thread.
    pub(crate) fn forget(&self, object: &KnownObject) {
        let shared = &self.shared;
        for entry in shared.index.all(|entry| entry.name.digest == object.digest) {
            shared.discard(&entry);
        }
        if shared.may_hold_unknown() {
            shared.remove_unknown(Layout::fan_of(object.digest), |name| name.digest == object.digest);
            shared.recount();
        }
    }

    /// Throws away what waits to be written.
    pub(crate) fn clear_queue(&self) {
        self.shared.queue.clear();
    }

    /// Removes all blocks. Blocks the thread.
    pub(crate) fn clear(&self) {
        for entry in self.shared.index.all(|_| true) {
            self.shared.discard(&entry);
        }
        for fan in self.shared.layout.fans().unwrap_or_default() {
            self.shared.remove_unknown(fan, |_| true);
        }
        self.shared.recount();
    }

    /// How it is doing.
    pub(crate) fn state(&self) -> DiskState {
        if let Some(reason) = self.shared.pause.reason() {
            return DiskState::WritesPaused { reason };
        }
        if self.shared.counted.load(Ordering::Acquire) { DiskState::Ready } else { DiskState::Scanning }
    }

    /// Bytes and number of files.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.shared.ledger.used(), self.shared.index.len() as u64)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let lost = self.shared.queue.close();
        self.shared.stats.add(Event::DiskWritesDropped, lost as u64);
        self.shared.bell.ring(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// What the file of a block is called.
    pub(super) fn name(&self, object: &KnownObject, block: u64) -> BlockName {
        BlockName { digest: object.digest, shift: self.options.geometry.shift() as u8, block }
    }

    /// Whether there may be files that the index does not know.
    pub(super) fn may_hold_unknown(&self) -> bool {
        self.company.load(Ordering::Relaxed) || !self.counted.load(Ordering::Acquire)
    }

    /// Asks for a pass over the directory: files were removed that a pass under way may have seen.
    fn recount(&self) {
        self.recount.store(true, Ordering::Release);
        self.bell.ring(false);
    }

    /// Header and data bytes of a block's file.
    pub(super) fn file_bytes(&self, object: &KnownObject, block: u64) -> (usize, usize) {
        let data = self.options.geometry.len(block, object.size());
        (block_file::header_bytes(block_file::identity_bytes(&object.id), data), data)
    }

    /// Enters a file that was found. `None` if it is known already.
    pub(super) fn adopt(&self, name: BlockName, charge: u64) -> Option<Arc<Entry>> {
        use super::ledger::Place;
        let entry = Entry::new(name, charge, 0);
        entry.seen.store(self.pass.load(Ordering::Acquire), Ordering::Release);
        if !self.index.insert(&entry) {
            return None;
        }
        // A block of another size can't be hit with today's configuration: it is the first to go.
        let other_size = u32::from(name.shift) != self.options.geometry.shift();
        self.ledger.adopt(&entry, if other_size { Place::Last } else { Place::Small });
        self.check(&name);
        Some(entry)
    }

    /// Takes a file off the books that is on them and gone. Somebody may find a file that is being removed and enter it, before or after
    /// it is gone: so whoever enters one that may have been removed meanwhile looks after that, and so does whoever removed one.
    pub(super) fn check(&self, name: &BlockName) {
        if let Some(pin) = self.index.pin(name)
            && std::fs::symlink_metadata(self.layout.path(name))
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            self.vanished(pin.entry());
        }
    }

    /// Removes a file that is damaged or not wanted any more.
    pub(super) fn discard(&self, entry: &Arc<Entry>) {
        if !self.index.remove(entry, false) {
            return;
        }
        entry.close();
        if let Err(error) = self.medium.remove(&self.layout.path(&entry.name)) {
            tracing::warn!(file = %self.layout.path(&entry.name).display(), %error, "cannot remove a cache file");
        }
        // If it could not be removed, the next pass over the directory finds and charges it again.
        self.ledger.forget(entry);
        self.check(&entry.name);
    }

    /// Takes a file that turned out to be gone off the books.
    pub(super) fn vanished(&self, entry: &Arc<Entry>) {
        self.index.remove(entry, false);
        entry.close();
        self.ledger.forget(entry);
    }
}

#[cfg(test)]
#[path = "tier_test.rs"]
pub(super) mod tests;
