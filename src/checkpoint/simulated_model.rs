//! The plain model that the simulation holds databases against: what each leader put, and so what every checkpoint holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use plastron_keys::{
    BlobAnswer, Completion, DataKeyWrapper, Fault, KeyClock, KeyEnvironment, KeyManagement, KeyModule, Keyring,
    MockModule,
};
use plastron_registry::{TurtleObject, Version};
use plastron_sources::clock::Clock;

use super::published::Published;
use super::simulated_store::SimStore;
use super::simulated_time::SimClock;
use crate::page_log::Lsn;

/// The records of a page's chain, oldest first: their LSNs, and the numbers of their contents.
pub(super) type ChainOfPage = Vec<(Lsn, u64)>;
/// What a database holds, by table and page.
pub(super) type Pages = BTreeMap<(u64, u64), ChainOfPage>;

/// The bytes that have this number.
pub(super) fn content(id: u64) -> Bytes {
    id.to_le_bytes().repeat(1 + (id % 60) as usize).into()
}

/// A turtle that was the newest when it was created.
#[derive(Debug, Clone)]
pub(super) struct Historic {
    pub(super) object: TurtleObject,
    pub(super) version: Version,
    /// None for one without content.
    pub(super) published: Option<Published>,
}

/// What a leader has done to a page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Full(u64),
    Delta(u64),
    Discard,
    /// Of the whole table: the page is without meaning.
    Trim(Lsn),
}

#[derive(Debug, Default)]
struct Term {
    base: Pages,
    changes: Vec<(Lsn, u64, u64, Change)>,
}

/// What all leaders have done, by their epochs.
#[derive(Debug, Default)]
pub(super) struct Model {
    terms: BTreeMap<u64, Term>,
    contents: u64,
}

impl Model {
    /// A leader has taken over at the checkpoint at `lsn`.
    pub(super) fn begin(&mut self, epoch: u64, lsn: Option<Lsn>) {
        let base = lsn.map_or_else(Pages::new, |lsn| self.at(lsn));
        self.terms.insert(epoch, Term { base, changes: Vec::new() });
    }

    /// A number that no content has yet.
    pub(super) fn content(&mut self) -> u64 {
        self.contents += 1;
        self.contents
    }

    pub(super) fn changed(&mut self, lsn: Lsn, table: u64, page: u64, change: Change) {
        let term = self.terms.get_mut(&lsn.epoch()).unwrap();
        assert!(term.changes.last().is_none_or(|last| last.0 < lsn), "LSNs rise");
        term.changes.push((lsn, table, page, change));
    }

    /// That leader has abandoned everything above `lsn`.
    pub(super) fn abandoned(&mut self, epoch: u64, lsn: Lsn) {
        self.terms.get_mut(&epoch).unwrap().changes.retain(|change| change.0 <= lsn);
    }

    /// What the database holds at `lsn`, which is of the leader who gave it.
    pub(super) fn at(&self, lsn: Lsn) -> Pages {
        self.of(lsn.epoch(), lsn)
    }

    /// What the leader of that epoch sees.
    pub(super) fn now(&self, epoch: u64) -> Pages {
        self.of(epoch, Lsn::MAX)
    }

    fn of(&self, epoch: u64, lsn: Lsn) -> Pages {
        let Some(term) = self.terms.get(&epoch) else { return Pages::new() };
        let mut pages = term.base.clone();
        for (lsn, table, page, change) in term.changes.iter().filter(|change| change.0 <= lsn).copied() {
            match change {
                Change::Full(id) => drop(pages.insert((table, page), vec![(lsn, id)])),
                Change::Delta(id) => pages.get_mut(&(table, page)).unwrap().push((lsn, id)),
                Change::Discard => drop(pages.remove(&(table, page))),
                Change::Trim(start) => {
                    pages.retain(|(of, _), chain| *of != table || chain.iter().all(|(lsn, _)| *lsn >= start));
                }
            }
        }
        pages
    }
}

/// The mock, watched: it hears of completions only after changes.
#[derive(Debug)]
struct Watched {
    mock: MockModule,
    changed: Mutex<bool>,
    store: Arc<SimStore>,
}

impl KeyModule for Watched {
    fn name(&self) -> &str {
        self.mock.name()
    }

    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        self.mock.load_key_blob(blob)
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        let answer = self.mock.get_key_blob()?;
        *self.changed.lock().unwrap() = matches!(answer, BlobAnswer::Changed(_));
        Ok(answer)
    }

    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault> {
        if !std::mem::take(&mut *self.changed.lock().unwrap()) {
            self.store.violation(format!("the key module has no changes, and was told of {completion:?}"));
        }
        self.mock.get_key_complete(completion)
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        self.mock.data_keys()
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        self.mock.keyring()
    }
}

impl KeyClock for SimClock {
    fn wall(&self) -> std::time::SystemTime {
        Clock::wall(self)
    }

    fn pause(&self, _: std::time::Duration) {}
}

/// Keys of one process, with a new KEK after so many seconds.
pub(super) fn keys(store: &Arc<SimStore>, expires: i64) -> KeyManagement {
    let mut environment = KeyEnvironment::default();
    environment.clock = Arc::new(store.clock());
    let mock = MockModule::new("simulation", expires, 64, &environment).unwrap();
    let module = Watched { mock, changed: Mutex::new(false), store: Arc::clone(store) };
    KeyManagement::from_module(Box::new(module), environment)
}
