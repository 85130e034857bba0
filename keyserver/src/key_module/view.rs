//! The KEKs in memory: what `wrap` and `unwrap` need, under a lock that nobody holds while he waits for the keyserver.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plastron_keys::{Fault, Kek, KekId, KeyRandom, SecretKey};

use super::kek_blob::OlderKek;
use super::members::Members;

/// A KEK, and what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) info: OlderKek,
    pub(super) kek: Arc<Kek>,
}

impl Known {
    /// A fresh one.
    pub(super) fn generate(generation: u64, made_ms: u64, random: &dyn KeyRandom) -> Result<Self, Fault> {
        let mut id = KekId([0; KekId::BYTES]);
        random.fill(&mut id.0)?;
        let kek = Arc::new(Kek::new(id, SecretKey::generate(random)?));
        Ok(Self { info: OlderKek { generation, id: id.0, made_ms }, kek })
    }
}

/// All KEKs that this process has.
#[derive(Debug, Default)]
pub(super) struct View {
    known: BTreeMap<KekId, Known>,
    /// What new data keys are wrapped by.
    pub(super) in_force: Option<KekId>,
    /// To whom that has gone; none for one that is here only.
    given: Option<Members>,
    /// Whether one of those is to read no more.
    pub(super) exposed: bool,
    /// Used before any blob has it; the next one will.
    pub(super) unpublished: BTreeSet<KekId>,
    /// Of those, the one that no blob on its way has either: nobody else has it.
    fresh: Option<KekId>,
    /// Whether a blob is on its way. Nothing may begin to be used then that it does not hold.
    pending: bool,
}

impl View {
    pub(super) fn kek(&self, id: &KekId) -> Option<&Known> {
        self.known.get(id)
    }

    /// The KEK to wrap by; none if a fresh one has to be made first.
    pub(super) fn usable(&self) -> Option<Arc<Kek>> {
        let known = self.known.get(&self.in_force?)?;
        (!self.exposed || self.pending).then(|| known.kek.clone())
    }

    /// Uses a fresh KEK from now on.
    pub(super) fn use_fresh(&mut self, known: Known) {
        let id = known.kek.id();
        self.known.insert(id, known);
        self.unpublished.insert(id);
        (self.in_force, self.fresh) = (Some(id), Some(id));
        (self.given, self.exposed) = (None, false);
    }

    /// The fresh KEK, if none that is known came after it.
    pub(super) fn newest_fresh(&self) -> Option<Known> {
        let fresh = self.known.get(&self.fresh?)?;
        let newest = self.known.values().all(|known| known.info <= fresh.info);
        newest.then(|| fresh.clone())
    }

    /// A blob with `newest` is on its way.
    pub(super) fn hand_out(&mut self, newest: Known) {
        let id = newest.kek.id();
        self.known.entry(id).or_insert(newest);
        (self.pending, self.fresh) = (true, None);
        // A new database: until the blob is there, what is written is wrapped by what it holds.
        if self.in_force.is_none() {
            self.in_force = Some(id);
            self.unpublished.insert(id);
        }
    }

    /// The blob on its way is there.
    pub(super) fn complete(&mut self, pending: &Carried) {
        self.pending = false;
        self.unpublished.retain(|id| !pending.ids.contains(id));
        (self.in_force, self.given, self.exposed) = (Some(pending.newest), Some(pending.members.clone()), false);
    }

    /// The blob on its way is not there, or nobody knows. It may have gone to its readers.
    pub(super) fn fail(&mut self, pending: &Carried) {
        self.pending = false;
        if self.in_force == Some(pending.newest) {
            self.given = Some(pending.members.clone());
        }
    }

    /// A KEK that was loaded, with those it went to, where `now` is what is known of who may read.
    pub(super) fn put_in_force(&mut self, id: KekId, given: Members, now: &Members) {
        (self.in_force, self.given, self.exposed) = (Some(id), Some(given), false);
        self.check_exposure(now);
    }

    /// Whether the KEK in force is known to somebody who may read no more.
    pub(super) fn check_exposure(&mut self, now: &Members) {
        self.exposed |= self.given.as_ref().is_some_and(|given| given.are_exposed(now));
    }

    /// Adds KEKs, all or none.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for another key of a known id.
    pub(super) fn add(&mut self, keys: Vec<Known>) -> Result<(), Fault> {
        for new in &keys {
            let same = |known: &Known| known.kek.secret().equals(new.kek.secret());
            if self.known.get(&new.kek.id()).is_some_and(|known| !same(known)) {
                return Err(Fault::corrupt(0, format!("there are two different KEKs of the id {}", new.kek.id())));
            }
        }
        for new in keys {
            self.known.entry(new.kek.id()).or_insert(new);
        }
        Ok(())
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Vec<Known> {
        let mut all: Vec<Known> = self.known.values().cloned().collect();
        all.sort_by_key(|known| known.info);
        all
    }
}

/// The blob last loaded or completed, or on its way.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) newest: KekId,
    pub(super) generation: u64,
    pub(super) made_ms: u64,
    pub(super) members: Members,
    pub(super) ids: BTreeSet<KekId>,
}
