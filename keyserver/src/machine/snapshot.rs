//! A database for a new replica, from that of another, checked against a ratified head.
//!
//! Nothing in it is believed: the tree is walked and hashed anew, every leaf must have its entry and every entry its profile, the head must be the one
//! that a quorum of replicas has signed, and all before it must lead to it.

use std::collections::BTreeMap;

use super::pages::{PageCache, PageStore};
use super::step::MachineOptions;
use super::tables::Tables;
use crate::kv::{Batch, Direction, Kv, KvRead, Pair};
use crate::merkle::{Root, Tree, TreeHasher};
use crate::proto::EpochHead;
use crate::{Digest, Error, Result, Unverified, verify_head};

const PORTION: usize = 1024;

/// All of a database, in portions. Give the last key of one to get the next; an empty one is the end.
///
/// # Errors
/// `Storage`.
pub fn export_snapshot(snapshot: &dyn KvRead, after: Option<&[u8]>) -> Result<Vec<Pair>> {
    let from = after.map_or_else(Vec::new, |after| [after, &[0]].concat());
    snapshot.range(&from, &[0xff], Direction::Forward, PORTION)
}

/// Takes `pairs` into `kv`, which must be empty, if they are what a replica of the realm can have. `head` is one that the caller trusts, such as one that
/// verifiers have ratified: it must be in there.
///
/// # Errors
/// `Invalid` if `kv` is not empty; `Corrupt`, `Unverified` if the snapshot is not right. Then `kv` is left with nothing that a machine would open.
pub fn import_snapshot(options: &MachineOptions, kv: &dyn Kv, pairs: Vec<Pair>, head: &EpochHead) -> Result<()> {
    if !kv.range(&[], &[0xff; 2], Direction::Forward, 1)?.is_empty() {
        return Err(Error::Invalid { what: "snapshot", why: "the database is not empty; take a new one".to_owned() });
    }
    // The state goes last, so that half a snapshot is nothing.
    let (state, rest): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(|(key, _)| key.first() == Some(&0));
    for portion in rest.chunks(PORTION) {
        let mut batch = Batch::new();
        portion.iter().for_each(|(key, value)| batch.put(key.clone(), value.clone()));
        kv.write(batch)?;
    }
    let mut last = Batch::new();
    state.iter().for_each(|(key, value)| last.put(key.clone(), value.clone()));
    check(options, kv, state, head)?;
    kv.write(last)
}

/// A database, with the state that is not in it yet.
struct WithState<'a> {
    kv: &'a dyn Kv,
    state: BTreeMap<bytes::Bytes, bytes::Bytes>,
}

impl KvRead for WithState<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<bytes::Bytes>> {
        self.state.get(key).cloned().map_or_else(|| self.kv.get(key), |value| Ok(Some(value)))
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        self.kv.range(from, to, direction, most)
    }
}

fn check(options: &MachineOptions, kv: &dyn Kv, state: Vec<Pair>, trusted: &EpochHead) -> Result<()> {
    let fault = |check: String| Error::Corrupt { what: "snapshot", offset: 0, check };
    let realm = options.realm.id();
    let read = WithState { kv, state: state.into_iter().collect() };
    let tables = Tables::new(&read);
    let state = tables.state()?.ok_or_else(|| fault("it has no state".to_owned()))?;
    // The chain of heads, each under its policy.
    let mut policy = options.realm.policy.clone();
    let mut previous = Digest::NONE;
    for epoch in 1..=state.delimited {
        let record = tables.epoch(epoch)?.ok_or_else(|| fault(format!("epoch {epoch} is missing")))?;
        let head = &record.signed.head;
        if head.epoch != epoch || head.previous != previous || record.generation != policy.generation {
            return Err(fault(format!("the head of epoch {epoch} does not follow the one before")));
        }
        if epoch <= state.ratified {
            verify_head(&realm, &policy, &record.signed)?;
        }
        if epoch == trusted.epoch && head != trusted {
            return Err(Unverified::Fork { epoch }.into());
        }
        if head.next_policy != head.policy {
            let missing = || fault(format!("the policy after epoch {epoch} is missing"));
            policy = tables.policy(policy.generation + 1)?.ok_or_else(missing)?.1;
            if policy.digest() != head.next_policy {
                return Err(fault(format!("the policy after epoch {epoch} is another than its head names")));
            }
        }
        previous = head.digest();
    }
    if state.ratified < trusted.epoch || state.head != previous || *state.policy != policy {
        return Err(fault("the state is not that of its heads, or older than the head that is trusted".to_owned()));
    }
    // The newest tree, and that every leaf is an entry that is there.
    let hasher = TreeHasher::new(&realm);
    let cache = PageCache::new(1 << 20);
    let store = PageStore { tables, cache: &cache };
    let root = match tables.epoch(state.delimited)? {
        Some(record) => Root { page: record.page, hash: record.signed.head.root },
        None => Tree::<PageStore<'_>>::empty(&hasher),
    };
    if root != state.root {
        return Err(fault("the state's tree is not that of the newest head".to_owned()));
    }
    let (mut wrong, mut most) = (None, 0);
    let leaf = |index: Digest, value: Digest| {
        let right = || -> Result<bool> {
            let Some((epoch, signed)) = tables.entry(&index, state.delimited)? else { return Ok(false) };
            let profile = tables.profile(&index, epoch)?;
            let committed = profile.is_some_and(|profile| profile.commitment() == signed.entry.commitment);
            Ok(committed && signed.entry.index == index && signed.entry.hash(&realm) == value)
        };
        if wrong.is_none() && !right().unwrap_or(false) {
            wrong = Some(index);
        }
    };
    Tree::new(&hasher, &store).walk(&root, leaf, |page| most = most.max(page))?;
    match wrong {
        Some(index) => Err(fault(format!("the leaf at {index} has no entry with a profile"))),
        None if most >= state.next_page => Err(fault("a page has a number that was not given out".to_owned())),
        None => Ok(()),
    }
}
