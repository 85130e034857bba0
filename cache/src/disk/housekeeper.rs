//! The thread that counts what is in the directory, keeps the books right while others use it too, and gives space back.

use std::fs;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use metrics::gauge;

use super::entry::charge_of;
use super::layout::{BlockName, Layout};
use super::tier::Shared;
use super::users::User;
use crate::stats::Event;

/// How often the housekeeper looks whether it has company and the file system has space.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it goes over the directory while it has company, at the most.
const PASS_EVERY: Duration = Duration::from_secs(5);

/// A pass may take this part of the time, however large the directory: one twentieth.
const PASS_SHARE: u32 = 20;

/// Files that are put in order of age at once when counting: 48 bytes each.
const BATCH: usize = 1 << 20;

/// A file found by a pass.
struct Found {
    name: BlockName,
    modified: SystemTime,
    bytes: u64,
}

impl Shared {
    /// The life of the housekeeper.
    pub(super) fn keep_house(&self) {
        let clock = &self.options.clock;
        let started = clock.monotonic();
        self.pass();
        self.counted.store(true, Ordering::Release);
        tracing::debug!(
            blocks = self.index.len(),
            bytes = self.ledger.used(),
            elapsed = ?clock.monotonic().saturating_sub(started),
            "counted what is in the cache directory"
        );
        self.trim();
        self.queue.start();
        let mut last_pass = clock.monotonic();
        let mut took = last_pass.saturating_sub(started);
        while self.wait() {
            self.restore_if_missing();
            let had_company = self.look_for_company();
            let now = clock.monotonic();
            let due = now.saturating_sub(last_pass) >= PASS_EVERY.max(took * PASS_SHARE);
            let company = self.company.load(Ordering::Relaxed);
            let asked = self.recount.swap(false, Ordering::AcqRel);
            // Once more after the last one left, so that nothing it wrote stays unknown.
            if asked || (company && due) || (had_company && !company) {
                self.pass();
                last_pass = clock.monotonic();
                took = last_pass.saturating_sub(now);
            }
            self.trim();
            self.publish();
        }
    }

    /// Brings the metrics up to date.
    fn publish(&self) {
        gauge!("plastron_cache_disk_bytes").set(self.ledger.used() as f64);
        gauge!("plastron_cache_disk_blocks").set(self.index.len() as f64);
        gauge!("plastron_cache_disk_writes_paused").set(if self.pause.reason().is_some() { 1.0 } else { 0.0 });
        self.stats.publish_hits();
    }

    /// False when it is time to go.
    fn wait(&self) -> bool {
        let mut state = self.bell.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.look && !state.stop {
            let waited = self.bell.rung.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.look = false;
        !state.stop
    }

    /// Returns whether there was company until now.
    fn look_for_company(&self) -> bool {
        let user = self.user.lock().unwrap_or_else(PoisonError::into_inner);
        let company = match user.as_ref().map(|user| user.has_company(&self.layout)) {
            Some(Ok(company)) => company,
            // Whoever can't tell must assume it.
            _ => true,
        };
        self.company.swap(company, Ordering::Relaxed)
    }

    /// Evicts what is above the limit, which falls when the file system fills up.
    pub(super) fn trim(&self) {
        match self.limit() {
            Ok(limit) => _ = self.make_room(0, limit),
            Err(error) => self.write_failed(&error),
        }
    }

    fn restore_if_missing(&self) {
        let mut user = self.user.lock().unwrap_or_else(PoisonError::into_inner);
        let evicted = user.as_ref().is_none_or(User::is_evicted);
        if !self.missing.swap(false, Ordering::AcqRel) && !evicted {
            return;
        }
        tracing::warn!(directory = %self.layout.root().display(), "the cache directory was removed; it is set up again");
        let restored = self.layout.restore().and_then(|()| {
            if evicted {
                *user = None;
                *user = Some(User::enter(&self.layout, &*self.options.entropy)?);
            }
            Ok(())
        });
        drop(user);
        match restored {
            Ok(()) => self.pass(),
            Err(error) => {
                self.missing.store(true, Ordering::Release);
                if let Some(length) = self.pause.begin(&error) {
                    tracing::warn!(%error, seconds = length.as_secs(), "the cache directory cannot be set up again");
                }
            }
        }
    }

    /// Goes over the directory: enters files that are not known, oldest first, and takes those that are gone off the books.
    pub(super) fn pass(&self) {
        let pass = self.pass.fetch_add(1, Ordering::AcqRel) + 1;
        let mut found = Vec::new();
        let mut complete = true;
        let fans = match self.layout.fans() {
            Ok(fans) => fans,
            Err(error) => {
                self.recount.store(true, Ordering::Release);
                return self.write_failed(&error);
            }
        };
        for fan in fans {
            if self.bell.stopped() {
                return;
            }
            complete &= self.list(fan, pass, &mut found).is_ok();
            if found.len() >= BATCH {
                self.enter(&mut found, pass);
            }
        }
        self.enter(&mut found, pass);
        if !complete {
            self.recount.store(true, Ordering::Release);
            return;
        }
        for gone in self.index.all(|entry| entry.seen.load(Ordering::Acquire) != pass) {
            self.vanished(&gone);
        }
    }

    /// Marks the known files of one directory as seen, and collects the others.
    fn list(&self, fan: u8, pass: u32, found: &mut Vec<Found>) -> io::Result<()> {
        let listed: io::Result<()> = (|| {
            for file in fs::read_dir(self.layout.fan(fan))? {
                let file = file?;
                let Some(name) = file.file_name().to_str().and_then(BlockName::parse) else { continue };
                if Layout::fan_of(name.digest) != fan {
                    continue;
                }
                if let Some(pin) = self.index.pin(&name) {
                    pin.entry().seen.store(pass, Ordering::Release);
                    continue;
                }
                // A file that is gone by now, or can't be looked at, is not counted.
                let Ok(metadata) = file.metadata() else { continue };
                if metadata.is_file() {
                    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    found.push(Found { name, modified, bytes: metadata.len() });
                }
            }
            Ok(())
        })();
        match &listed {
            // Removed, with everything that was in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.stats.add(Event::DiskReadErrors, 1);
                tracing::warn!(directory = %self.layout.fan(fan).display(), %error, "cannot list a cache directory");
            }
            Ok(()) => {}
        }
        listed
    }

    fn enter(&self, found: &mut Vec<Found>, pass: u32) {
        found.sort_unstable_by_key(|file| file.modified);
        for file in found.drain(..) {
            if self.adopt(file.name, charge_of(file.bytes)).is_none()
                && let Some(pin) = self.index.pin(&file.name)
            {
                // Its writer was faster by now, and perhaps took the number of the last pass for that of this one.
                pin.entry().seen.fetch_max(pass, Ordering::AcqRel);
            }
        }
    }

    /// Removes files of one directory whose name `unwanted` says so, whether they are known or not.
    pub(super) fn remove_unknown(&self, fan: u8, unwanted: impl Fn(&BlockName) -> bool) {
        let Ok(files) = fs::read_dir(self.layout.fan(fan)) else { return };
        for file in files.flatten() {
            let name = file.file_name().to_str().and_then(BlockName::parse);
            let Some(name) = name.filter(|name| Layout::fan_of(name.digest) == fan && unwanted(name)) else { continue };
            match self.index.pin(&name) {
                Some(pin) => self.discard(pin.entry()),
                None => _ = self.medium.remove(&self.layout.path(&name)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Entry;
    use super::super::tier::tests::{Rig, until};
    use super::*;

    #[test]
    fn a_file_that_is_entered_between_being_found_and_being_counted_stays() {
        let rig = Rig::new(1 << 20, 4096);
        let disk = rig.open();
        let shared = disk.shared();
        until("counting", || shared.counted.load(Ordering::Acquire));
        let object = rig.object("a", 4096);
        rig.offer(&disk, &object, 0, false);
        // The writer has renamed the file, and read the number of the pass, but not entered it.
        let name = shared.name(&object, 0);
        let written = shared.index.pin(&name).unwrap();
        assert!(shared.index.remove(written.entry(), false));
        let entry = Entry::new(name, written.entry().charge, 0);
        entry.seen.store(shared.pass.load(Ordering::Acquire), Ordering::Release);
        let pass = shared.pass.fetch_add(1, Ordering::AcqRel) + 1;
        let mut found = Vec::new();
        shared.list(Layout::fan_of(name.digest), pass, &mut found).unwrap();
        assert_eq!(found.len(), 1);
        assert!(shared.index.insert(&entry));
        shared.enter(&mut found, pass);
        assert!(entry.seen.load(Ordering::Acquire) >= pass, "the pass would take it for gone");
        assert!(rig.hits(&disk, &object, 0));
    }
}
