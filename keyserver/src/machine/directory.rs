//! What replicas answer, all from one snapshot of the database.

use std::sync::Arc;

use super::pages::{PageCache, PageStore};
use super::proofs::ProofCache;
use super::state::{State, Window};
use super::step::{Machine, MachineOptions};
use super::tables::{EpochRecord, Tables};
use crate::kv::{Kv, KvRead};
use crate::merkle::{Root, Tree, TreeHasher};
use crate::proto::{
    Authorities, HistoryItem, Issuers, LookupAnswer, LookupRequest, Message as _, Quorum, Realm, RealmPolicy,
    StreamItem, StreamPage, StreamPosition, check_name,
};
use crate::{Error, Result};

/// How far back a head is looked for that bears enough signatures.
const MOST_EPOCHS_BACK: u64 = 256;
/// The most bytes of a page of the verifiers' stream, but for its last item.
const STREAM_BYTES: usize = 1 << 20;
const STREAM_ITEMS: usize = 1024;

/// Reads a replica's database. Calls block.
#[derive(Debug, Clone)]
pub struct Directory {
    options: Arc<MachineOptions>,
    hasher: TreeHasher,
    kv: Arc<dyn Kv>,
    cache: PageCache,
    proofs: ProofCache,
}

impl Directory {
    /// The directory of that machine.
    pub fn of(machine: &Machine) -> Self {
        let options = Arc::clone(machine.options());
        let hasher = TreeHasher::new(&options.realm.id());
        Self {
            options,
            hasher,
            kv: Arc::clone(machine.kv()),
            cache: machine.cache().clone(),
            proofs: machine.proofs.clone(),
        }
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        &self.options.realm
    }

    fn not_yet() -> Error {
        Error::NotFound { what: "epoch", why: "none is ratified yet; ask again in a moment".to_owned() }
    }

    /// The answer to a lookup.
    ///
    /// # Errors
    /// `NotFound` if no retained epoch is the one asked for, or bears the signatures asked for.
    pub fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer> {
        check_name(&request.name)?;
        let snapshot = self.kv.snapshot()?;
        let tables = Tables::new(&*snapshot);
        let window = tables.window()?.filter(|window| window.ratified > 0).ok_or_else(Self::not_yet)?;
        let record = self.choose(tables, window, request)?;
        let epoch = record.signed.head.epoch;
        let (index, proof) = self.proofs.prove(&self.options.secret, &request.name);
        let store = PageStore { tables, cache: &self.cache };
        let root = Root { page: record.page, hash: record.signed.head.root };
        let tree = Tree::new(&self.hasher, &store).prove(&root, &index)?;
        let found = match tables.entry(&index, epoch)? {
            None => None,
            Some((from, signed)) => {
                let missing = || Error::Corrupt { what: "profile", offset: 0, check: "it is missing".to_owned() };
                Some((signed.entry, tables.profile(&index, from)?.ok_or_else(missing)?))
            }
        };
        let steps = tables.steps(request.known_generation, record.generation)?;
        Ok(LookupAnswer { index: proof, steps, head: record.signed, tree, found })
    }

    /// The epoch that was asked for, or the newest that bears the signatures.
    fn choose(&self, tables: Tables<'_>, window: Window, request: &LookupRequest) -> Result<EpochRecord> {
        let missing = |why: String| Error::NotFound { what: "epoch", why };
        let first = window.retained.max(window.ratified.saturating_sub(MOST_EPOCHS_BACK)).max(1);
        if request.epoch != 0 {
            if request.epoch > window.ratified || request.epoch < window.retained {
                let why = format!("{} is not among {} to {}", request.epoch, window.retained, window.ratified);
                return Err(missing(why));
            }
            let record = tables.epoch(request.epoch)?.ok_or_else(Self::not_yet)?;
            let signed = self.is_signed(tables, &record, &request.quorum)?;
            return if signed {
                Ok(record)
            } else {
                Err(missing(format!("{} lacks the signatures asked for; ask again in a moment", request.epoch)))
            };
        }
        for epoch in (first..=window.ratified).rev() {
            let record = tables.epoch(epoch)?.ok_or_else(Self::not_yet)?;
            if self.is_signed(tables, &record, &request.quorum)? {
                return Ok(record);
            }
        }
        let why = format!("none from {first} to {} bears the signatures asked for", window.ratified);
        Err(missing(format!("{why}; do the verifiers run?")))
    }

    fn is_signed(&self, tables: Tables<'_>, record: &EpochRecord, quorum: &Quorum) -> Result<bool> {
        Ok(match quorum {
            Quorum::Replicas => true,
            // The signatures were checked before they were stored, so that who has signed is enough.
            Quorum::Verifiers => {
                let policy = self.policy(tables, record.generation)?;
                policy.verifiers.as_ref().is_some_and(|verifiers| verifiers.is_met_by(&record.signed.signatures))
            }
            Quorum::Of(policy) => policy.is_met_by(&record.signed.signatures),
        })
    }

    /// The record of an epoch.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn epoch(&self, epoch: u64) -> Result<Option<EpochRecord>> {
        Tables::new(&*self.kv).epoch(epoch)
    }

    /// The realm policy that the record's head is signed under.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn policy_of(&self, record: &EpochRecord) -> Result<RealmPolicy> {
        self.policy(Tables::new(&*self.kv), record.generation)
    }

    /// Whose identity tokens are believed.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn issuers(&self) -> Result<Issuers> {
        Tables::new(&*self.kv).issuers()
    }

    /// Whose client certificates are taken.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn authorities(&self) -> Result<Authorities> {
        Tables::new(&*self.kv).authorities()
    }

    fn policy(&self, tables: Tables<'_>, generation: u64) -> Result<RealmPolicy> {
        if generation == self.options.realm.policy.generation {
            return Ok(self.options.realm.policy.clone());
        }
        let missing = || Error::NotFound { what: "realm policy", why: format!("there is no generation {generation}") };
        Ok(tables.policy(generation)?.ok_or_else(missing)?.1)
    }

    /// Changes and heads from `from` on; empty if there is nothing new.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn stream(&self, from: StreamPosition) -> Result<StreamPage> {
        let snapshot = self.kv.snapshot()?;
        let tables = Tables::new(&*snapshot);
        let mut page = StreamPage { from, items: Vec::new() };
        let Some(window) = tables.window()? else { return Ok(page) };
        let mut at = StreamPosition { epoch: from.epoch.max(1), change: from.change };
        let mut bytes = 0;
        while at.epoch <= window.ratified && bytes < STREAM_BYTES && page.items.len() < STREAM_ITEMS {
            let record = tables.epoch(at.epoch)?.ok_or_else(Self::not_yet)?;
            if at.change < record.changes {
                let Some((index, _)) = tables.changes(at.epoch, at.change, 1)?.pop() else {
                    return Err(Self::not_yet());
                };
                let (_, signed) = tables.entry(&index, at.epoch)?.ok_or_else(Self::not_yet)?;
                bytes += signed.body().len();
                page.items.push(StreamItem::Change(Box::new(signed)));
                at.change += 1;
                continue;
            }
            let head = record.signed;
            let changed = head.head.policy != head.head.next_policy;
            let next = if changed { Some(Box::new(self.policy(tables, record.generation + 1)?)) } else { None };
            bytes += head.body().len();
            page.items.push(StreamItem::Head { head: Box::new(head), next_policy: next });
            at = StreamPosition { epoch: at.epoch + 1, change: 0 };
        }
        Ok(page)
    }

    /// What `name` has had, from epoch `from` on, `most` entries at the most; only what is ratified.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn history(&self, name: &str, from: u64, most: usize) -> Result<Vec<HistoryItem>> {
        check_name(name)?;
        let snapshot = self.kv.snapshot()?;
        let tables = Tables::new(&*snapshot);
        let (Some(index), Some(window)) = (tables.name(name)?, tables.window()?) else { return Ok(Vec::new()) };
        let entries = tables.entries(&index, from, most)?;
        let item = |(epoch, signed)| {
            let missing = || Error::Corrupt { what: "profile", offset: 0, check: "it is missing".to_owned() };
            let profile = tables.profile(&index, epoch)?.ok_or_else(missing)?;
            Ok(HistoryItem { epoch, signed, profile })
        };
        entries.into_iter().filter(|(epoch, _)| *epoch <= window.ratified).map(item).collect()
    }

    /// The state and the newest ratified head, for those who ask how it goes.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn status(&self) -> Result<(State, Option<EpochRecord>)> {
        let snapshot: Box<dyn KvRead> = self.kv.snapshot()?;
        let tables = Tables::new(&*snapshot);
        let state = tables.state()?.unwrap_or_else(|| State::new(&self.options.realm));
        let record = tables.epoch(state.ratified)?;
        Ok((state, record))
    }
}
