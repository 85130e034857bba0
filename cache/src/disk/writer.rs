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
        self.pause.end();
        self.stats.add(Event::DiskWrittenBytes, bytes);
        let place = if offer.priority == Priority::Index { Place::Main } else { self.ledger.place_of(name) };
        let entry = Entry::new(*name, charge, 0);
        entry.seen.store(self.pass.load(Ordering::Acquire), Ordering::Release);
        if self.index.insert(&entry) {
            self.ledger.enter(&entry, place);
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
        // In this order: whatever is written or removed meanwhile makes the limit too low, never too high.
        let settled = self.ledger.settled();
        let Space { available, total } = self.medium.space(self.layout.root())?;
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
