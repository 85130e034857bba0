//! The replay: what the stream says, against the rules and the verifier's own tree. Calls block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::evidence::broken_chain;
use crate::kv::Kv;
use crate::machine::{EpochRecord, MAX_PENDING, PageCache, PageStore, State, TableBatch, Tables};
use crate::merkle::{Root, Tree, TreeHasher};
use crate::proto::{EpochHead, Evidence, Lie, Realm, RealmPolicy, SignedEntry, SignedHead, StreamItem};
use crate::{Digest, Error, Result, Unverified, check_change, verify_head};

/// What the verifier has found out so far.
#[derive(Debug)]
pub(super) struct Replay {
    realm: Realm,
    id: Digest,
    hasher: TreeHasher,
    kv: Arc<dyn Kv>,
    cache: PageCache,
    /// Here `delimited` is the epoch that was found right last, `ratified` the one whose signature was brought to a replica, `pending` the changes taken in
    /// of the epoch after.
    state: State,
}

impl Replay {
    pub(super) fn open(realm: Realm, kv: Arc<dyn Kv>, cache_bytes: u64) -> Result<Self> {
        let state = Tables::new(&*kv).state()?.unwrap_or_else(|| State::new(&realm));
        let id = realm.id();
        Ok(Self { hasher: TreeHasher::new(&id), id, kv, cache: PageCache::new(cache_bytes), state, realm })
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn record(&self, epoch: u64) -> Result<Option<EpochRecord>> {
        Tables::new(&*self.kv).epoch(epoch)
    }

    fn write(&mut self, mut batch: TableBatch, state: State) -> Result<()> {
        batch.state(&state)?;
        self.kv.write(batch.0)?;
        self.state = state;
        Ok(())
    }

    /// The signature of `epoch` is with a replica.
    pub(super) fn pushed(&mut self, epoch: u64) -> Result<()> {
        let state = State { ratified: epoch, ..self.state.clone() };
        self.write(TableBatch::default(), state)
    }

    /// Takes in what follows. Evidence, if there is a lie in it.
    pub(super) fn take(&mut self, items: Vec<StreamItem>) -> Result<Option<Evidence>> {
        let mut changes = Vec::new();
        for item in items {
            match item {
                StreamItem::Change(signed) => changes.push(*signed),
                StreamItem::Head { head, next_policy } => {
                    self.changes(std::mem::take(&mut changes))?;
                    let evidence = self.head(*head, next_policy.map(|policy| *policy))?;
                    if evidence.is_some() {
                        return Ok(evidence);
                    }
                }
            }
        }
        self.changes(changes).map(|()| None)
    }

    /// Changes are only put down: what is wrong with one is evidence not before the replicas have signed it.
    fn changes(&mut self, changes: Vec<SignedEntry>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let malformed = |why: &str| Error::Invalid { what: "verifiers' stream", why: why.to_owned() };
        let mut state = self.state.clone();
        let next = state.delimited + 1;
        if state.pending.saturating_add(changes.len() as u64) > MAX_PENDING {
            return Err(malformed("an epoch has more changes than can be"));
        }
        let mut batch = TableBatch::default();
        let mut seen = BTreeSet::new();
        for signed in &changes {
            let index = signed.entry.index;
            let known = Tables::new(&*self.kv).entry(&index, next)?.is_some_and(|(epoch, _)| epoch == next);
            if known || !seen.insert(index) {
                return Err(malformed("an index changes twice in an epoch"));
            }
            batch.entry(next, signed);
            batch.change(next, state.pending, &index, &signed.entry.hash(&self.id));
            state.pending += 1;
        }
        self.write(batch, state)
    }

    /// The head that was found right last, as the verifier has it.
    fn last(&self) -> Result<Option<SignedHead>> {
        Ok(self.record(self.state.delimited)?.map(|record| record.signed))
    }

    fn evidence(&self, lie: Lie) -> Result<Option<Evidence>> {
        let steps = Tables::new(&*self.kv).steps(self.realm.policy.generation, self.state.policy.generation)?;
        Ok(Some(Evidence { realm: self.realm.clone(), steps, lie }))
    }

    /// Compares a head of the epoch that was found right last with the one that it was.
    pub(super) fn compare(&self, shown: SignedHead) -> Result<Option<Evidence>> {
        let Some(record) = self.record(self.state.delimited)? else { return Ok(None) };
        if shown.head == record.signed.head {
            return Ok(None);
        }
        let policy = self.policy(record.generation)?;
        verify_head(&self.id, &policy, &shown)?;
        self.evidence(Lie::Equivocation { one: record.signed, other: shown })
    }

    fn policy(&self, generation: u64) -> Result<RealmPolicy> {
        if generation == self.realm.policy.generation {
            return Ok(self.realm.policy.clone());
        }
        let missing = || Error::NotFound { what: "realm policy", why: format!("there is no generation {generation}") };
        Ok(Tables::new(&*self.kv).policy(generation)?.ok_or_else(missing)?.1)
    }

    fn head(&mut self, signed: SignedHead, next_policy: Option<RealmPolicy>) -> Result<Option<Evidence>> {
        let mut state = self.state.clone();
        let next = state.delimited + 1;
        let head = &signed.head;
        let last = self.last()?;
        // One that the replicas have not signed says nothing about them.
        verify_head(&self.id, &state.policy, &signed)?;
        let chained = match &last {
            Some(last) => broken_chain(&last.head, head).is_none(),
            None => head.epoch == 1 && head.previous == Digest::NONE && head.issued_ms > self.realm.created_ms,
        };
        if !chained {
            return match last {
                // Of another epoch than was asked for, it is a mistake and not a lie.
                Some(before) if before.head.epoch + 1 == head.epoch => {
                    self.evidence(Lie::Chain { before, after: signed })
                }
                _ => Err(Unverified::Epoch { asked: next, found: head.epoch }.into()),
            };
        }
        let policy = match (head.policy == head.next_policy, next_policy) {
            (true, _) => state.policy.clone(),
            (false, Some(policy))
                if policy.digest() == head.next_policy && policy.generation == state.policy.generation + 1 =>
            {
                Arc::new(policy)
            }
            (false, _) => {
                return Err(Unverified::Policy { step: 0, why: "the head's next policy was not shown" }.into());
            }
        };
        let tables = Tables::new(&*self.kv);
        let changes = tables.changes(next, 0, MAX_PENDING as usize)?;
        let leaves: BTreeMap<Digest, Digest> = changes.iter().copied().collect();
        let store = PageStore { tables, cache: &self.cache };
        let change = Tree::new(&self.hasher, &store).apply(&state.root, &leaves, state.next_page)?;
        if change.root.hash != head.root {
            // What was shown is not what was signed. Nobody can tell from the heads alone, so that there is no evidence but the refusal to sign.
            return Err(Unverified::Tree { epoch: next }.into());
        }
        let broken = self.first_broken(tables, next, &changes, &state.policy)?;
        let mut batch = TableBatch::default();
        for (id, page) in &change.written {
            batch.page(*id, page);
        }
        let before_root = state.root;
        if let (Some(is), Some(before)) = (broken, last) {
            // The pages of the new tree are needed for the proof; the state still says that the epoch was not found right.
            self.kv.write(batch.0)?;
            return self.wrong_change(before, &before_root, signed, &change.root, is);
        }
        batch.epoch(&EpochRecord {
            signed: signed.clone(),
            page: change.root.page,
            changes: changes.len() as u64,
            generation: state.policy.generation,
        })?;
        // The verifier answers for no old tree, so that it keeps the newest alone.
        change.retired.iter().for_each(|id| batch.remove_page(*id));
        if policy != state.policy {
            batch.policy(next, &policy);
        }
        let EpochHead { issued_ms, .. } = signed.head;
        state.policy = policy;
        state.delimited = next;
        state.head = signed.head.digest();
        state.issued_ms = issued_ms;
        state.root = change.root;
        state.next_page = change.next_page;
        state.pending = 0;
        self.write(batch, state)?;
        Ok(None)
    }

    /// The first change of the epoch that breaks a rule.
    fn first_broken(
        &self,
        tables: Tables<'_>,
        epoch: u64,
        changes: &[(Digest, Digest)],
        policy: &RealmPolicy,
    ) -> Result<Option<SignedEntry>> {
        for (index, _) in changes {
            let missing = || Error::Corrupt { what: "entry", offset: 0, check: format!("{index} is missing") };
            let (_, signed) = tables.entry(index, epoch)?.ok_or_else(missing)?;
            let before = tables.entry(index, epoch - 1)?.map(|(_, before)| before.entry);
            if let Err(refusal) = check_change(&self.id, &policy.operators, before.as_ref(), &signed) {
                if epoch == 1 {
                    // There is no head before to prove what was.
                    return Err(refusal.into());
                }
                return Ok(Some(signed));
            }
        }
        Ok(None)
    }

    fn wrong_change(
        &self,
        before: SignedHead,
        before_root: &Root,
        after: SignedHead,
        after_root: &Root,
        is: SignedEntry,
    ) -> Result<Option<Evidence>> {
        let tables = Tables::new(&*self.kv);
        let index = is.entry.index;
        let store = PageStore { tables, cache: &self.cache };
        let tree = Tree::new(&self.hasher, &store);
        let was = tables.entry(&index, before.head.epoch)?.map(|(_, before)| before.entry);
        let was = Box::new((was, tree.prove(before_root, &index)?));
        let proof = tree.prove(after_root, &index)?;
        self.evidence(Lie::Change { before, was, after, is: Box::new((is, proof)) })
    }
}
