//! Writing blocks: the threads that work on the queue, and how room is made.

use std::io;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::block_file::encode_header;
use super::entry::{Entry, charge_of};
use super::layout::BlockName;
use super::ledger::Place;
use super::medium::Space;
use super::tier::Shared;
use super::write_queue::Offer;
use crate::fetch::Priority;
use crate::options::Admission;
use crate::stats::Event;

/// Left free unless configured otherwise: this, or a twentieth of a smaller file system.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// See [`MIN_FREE_BYTES`].
const MIN_FREE_SHARE: u64 = 20;

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// In a file.
    Yes,
    /// Not needed: it is there already, or was invalidated.
    Needless,
    /// Turned away by the admission policy.
    Declined,
    /// No room, or writes are off.
    Dropped,
}

impl Shared {
    /// The life of a writer thread.
    pub(super) fn write_all(&self) {
        while let Some((name, offer)) = self.queue.take() {
            let written = match self.write(&name, &offer) {
                Ok(written) => written,
                Err(error) => {
                    self.stats.add(Event::DiskWriteErrors, 1);
                    self.write_failed(&error);
                    Written::Dropped
                }
            };
            match written {
                Written::Yes => self.stats.add(Event::DiskWrites, 1),
                Written::Declined => self.stats.add(Event::DiskWritesDeclined, 1),
                Written::Dropped => self.stats.add(Event::DiskWritesDropped, 1),
                Written::Needless => {}
            }
            let bytes = offer.data.len();
            drop(offer);
            self.queue.done(&name, bytes);
        }
    }

    fn write(&self, name: &BlockName, offer: &Offer) -> io::Result<Written> {
        if offer.object.number() != offer.number || self.index.has(name) {
            return Ok(Written::Needless);
        }
        let pauses = self.pause.begun();
        if self.pause.reason().is_some() {
            return Ok(Written::Dropped);
        }
        let header = encode_header(
            &offer.object.id,
            offer.object.digest,
            self.options.geometry.shift(),
            offer.block,
            &offer.data,
        );
        let bytes = (header.len() + offer.data.len()) as u64;
        let charge = charge_of(bytes);
        let limit = self.limit()?;
        if self.declines(name, offer, charge, limit) {
            return Ok(Written::Declined);
        }
        if charge > limit || !self.make_room(charge, limit) {
            return Ok(Written::Dropped);
        }
        let Some(temporary) = self.temporary() else {
            self.ledger.released(charge);
            return Ok(Written::Dropped);
        };
        let store = || self.medium.write(&temporary, &self.layout.path(name), [&header, &offer.data]);
        let stored = store().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => self.layout.create_fan(name.digest).and_then(|()| store()),
            _ => Err(error),
        });
        if let Err(error) = stored {
            self.ledger.released(charge);
            return Err(error);
        }
        self.pause.end(pauses);
        self.stats.add(Event::DiskWrittenBytes, bytes);
        let place = if offer.priority == Priority::Index { Place::Main } else { self.ledger.place_of(name) };
        let entry = Entry::new(*name, charge, 0);
        entry.seen.store(self.pass.load(Ordering::Acquire), Ordering::Release);
        if self.index.insert(&entry) {
            self.ledger.enter(&entry, place);
            self.check(name);
        } else {
            // Between renaming and here a reader or a pass over the directory found the file, and charged it.
            self.ledger.released(charge);
        }
        Ok(Written::Yes)
    }

    /// Whether the block has to be asked for once more before it is kept.
    fn declines(&self, name: &BlockName, offer: &Offer, charge: u64, limit: u64) -> bool {
        let first_must_pass = match self.options.admission {
            Admission::Always => false,
            Admission::SecondHit => true,
            Admission::ScanResistant => offer.scan && self.ledger.used().saturating_add(charge) > limit,
        };
        first_must_pass && offer.priority != Priority::Index && !self.ledger.seen_before(name)
    }

    fn temporary(&self) -> Option<std::path::PathBuf> {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let user = self.user.lock().unwrap_or_else(PoisonError::into_inner);
        user.as_ref().map(|user| user.temporary(number))
    }

    /// Bytes that files may use now: the configured size, or less if the file system is fuller than it should be.
    pub(super) fn limit(&self) -> io::Result<u64> {
        // Whatever is written or removed meanwhile makes the limit too low, never too high: what is written is not among the settled
        // bytes, and what is removed, which may count as available already, is taken off them.
        let settled = self.ledger.settled();
        let Space { available, total } = self.medium.space(self.layout.root())?;
        let settled = self.ledger.left_of(settled);
        let keep = self.options.min_free.unwrap_or_else(|| MIN_FREE_BYTES.min(total / MIN_FREE_SHARE));
        let bearable = settled.saturating_add(available).saturating_sub(keep);
        Ok(self.options.size.min(bearable))
    }

    /// Evicts until `charge` bytes fit under `limit`, and reserves them. False if they can't be made to fit.
    pub(super) fn make_room(&self, charge: u64, limit: u64) -> bool {
        while !self.ledger.reserve(charge, limit) {
            let Some(victim) = self.ledger.pick(limit, &self.index) else { return false };
            if !self.evict(&victim) {
                return false;
            }
        }
        true
    }

    fn evict(&self, victim: &Arc<Entry>) -> bool {
        victim.close();
        match self.medium.remove(&self.layout.path(&victim.name)) {
            Ok(_) => {
                self.ledger.released(victim.charge);
                self.check(&victim.name);
                self.stats.add(Event::DiskEvictions, 1);
                true
            }
            Err(error) => {
                // It is there still, and keeps counting.
                let again = Entry::new(victim.name, victim.charge, 0);
                again.seen.store(self.pass.load(Ordering::Acquire), Ordering::Release);
                if self.index.insert(&again) {
                    self.ledger.enter(&again, Place::Main);
                } else {
                    self.ledger.released(victim.charge);
                }
                self.write_failed(&error);
                false
            }
        }
    }

    /// A write, a removal or the question for free space failed.
    pub(super) fn write_failed(&self, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            // Somebody removed the directory: the housekeeper sets it up again.
            self.missing.store(true, Ordering::Release);
            self.bell.ring(false);
            return;
        }
        if let Some(length) = self.pause.begin(error) {
            let root = self.layout.root().display().to_string();
            tracing::warn!(directory = %root, %error, seconds = length.as_secs(), "the cache cannot write; reads go on");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::IoSliceMut;
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Mutex, OnceLock, Weak};

    use super::super::medium::{FileSystem, Medium};
    use super::super::tier::Disk;
    use super::super::tier::tests::{Rig, until};
    use super::*;

    const AVAILABLE: u64 = 1 << 20;

    /// A file system on which another thread removes a block at a bad moment, if that is wished for.
    #[derive(Debug, Default)]
    struct Meanwhile {
        shared: OnceLock<Weak<Shared>>,
        /// Before it is asked for its space.
        remove_one: AtomicBool,
        /// After a file is opened.
        going: Mutex<Option<Arc<Entry>>>,
    }

    impl Meanwhile {
        fn shared(&self) -> Arc<Shared> {
            self.shared.get().and_then(Weak::upgrade).unwrap()
        }
    }

    fn on(rig: &Rig) -> (Disk, Arc<Meanwhile>) {
        let medium = Arc::new(Meanwhile::default());
        let disk = rig.open_on(medium.clone());
        let shared = disk.shared();
        medium.shared.set(Arc::downgrade(shared)).unwrap();
        until("being counted, and alone", || {
            shared.counted.load(Ordering::Acquire) && !shared.company.load(Ordering::Relaxed)
        });
        (disk, medium)
    }

    impl Medium for Meanwhile {
        fn write(&self, temporary: &Path, path: &Path, parts: [&[u8]; 2]) -> io::Result<()> {
            FileSystem.write(temporary, path, parts)
        }

        fn open(&self, path: &Path) -> io::Result<File> {
            let opened = FileSystem.open(path);
            if let Some(victim) = self.going.lock().unwrap().take() {
                assert!(self.shared().evict(&victim));
            }
            opened
        }

        fn read(&self, file: &File, parts: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
            FileSystem.read(file, parts, offset)
        }

        fn remove(&self, path: &Path) -> io::Result<bool> {
            FileSystem.remove(path)
        }

        fn space(&self, _: &Path) -> io::Result<Space> {
            let mut available = AVAILABLE;
            if self.remove_one.swap(false, Ordering::SeqCst) {
                let shared = self.shared();
                let victim = shared.ledger.pick(u64::MAX, &shared.index).unwrap();
                assert!(shared.evict(&victim));
                available += victim.charge;
            }
            Ok(Space { available, total: 1 << 40 })
        }
    }

    #[test]
    fn what_is_removed_meanwhile_is_not_counted_twice() {
        let rig = Rig::new(1 << 30, 4096);
        let (disk, medium) = on(&rig);
        let shared = disk.shared();
        let object = rig.object("a", 4 * 4096);
        (0..4).for_each(|block| rig.offer(&disk, &object, block, false));
        let (before, limit) = (shared.ledger.used(), shared.limit().unwrap());
        assert_eq!(limit, before + AVAILABLE);
        // The housekeeper may be the one who asks; the space is the same for both.
        medium.remove_one.store(true, Ordering::SeqCst);
        let after = shared.limit().unwrap();
        assert!(shared.ledger.used() < before);
        assert!(after <= limit, "{after} bytes can be had of {limit}");
    }

    #[test]
    fn a_file_that_is_found_while_it_is_evicted_does_not_stay_on_the_books() {
        for removed_first in [true, false] {
            let rig = Rig::new(1 << 30, 4096);
            let (disk, medium) = on(&rig);
            let shared = disk.shared();
            let object = rig.object("a", 4096);
            rig.offer(&disk, &object, 0, false);
            let victim = shared.ledger.pick(u64::MAX, &shared.index).unwrap();
            shared.company.store(true, Ordering::Relaxed);
            if removed_first {
                *medium.going.lock().unwrap() = Some(victim);
                rig.hits(&disk, &object, 0);
            } else {
                assert!(rig.hits(&disk, &object, 0));
                assert!(shared.evict(&victim));
            }
            assert_eq!((disk.usage(), rig.files().1), ((0, 0), 0), "{removed_first}");
        }
    }
}
