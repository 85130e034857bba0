//! What a replica knows without looking further.

use std::sync::Arc;

use crate::encoding::{Reader, Writer, unframe};
use crate::merkle::{Root, Tree, TreeHasher};
use crate::proto::{Message, Realm, RealmPolicy};
use crate::{Digest, Result};

/// The part of the directory that every step reads, and that is written with every batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Index of the last log entry that was applied.
    pub applied: u64,
    /// The newest epoch that has a head.
    pub delimited: u64,
    /// The newest epoch whose head a quorum of replicas has signed: `delimited`, or one less.
    pub ratified: u64,
    /// The first epoch whose tree is retained.
    pub retained: u64,
    /// Digest of the newest head.
    pub head: Digest,
    /// When that was issued, in milliseconds since 1970.
    pub issued_ms: u64,
    /// Its tree.
    pub root: Root,
    /// The first number that no page has had.
    pub next_page: u64,
    /// Changes that wait for the next epoch.
    pub pending: u64,
    /// The realm policy under which the next head will be signed.
    pub policy: Arc<RealmPolicy>,
    /// The one that the next head is to name as its successor, if that is another.
    pub announced: Option<Arc<RealmPolicy>>,
}

impl State {
    /// Before anything happened.
    pub fn new(realm: &Realm) -> Self {
        let hasher = TreeHasher::new(&realm.id());
        Self {
            applied: 0,
            delimited: 0,
            ratified: 0,
            retained: 1,
            head: Digest::NONE,
            issued_ms: realm.created_ms,
            root: Tree::<super::pages::PageStore<'_>>::empty(&hasher),
            next_page: 1,
            pending: 0,
            policy: Arc::new(realm.policy.clone()),
            announced: None,
        }
    }
}

/// Which epochs can be looked up: what most answers need of a state, without the policies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// The newest that is ratified; 0 if none is.
    pub(crate) ratified: u64,
    /// The first whose tree is retained.
    pub(crate) retained: u64,
}

impl Window {
    /// From the framed form of a state.
    pub(crate) fn of(state: &[u8]) -> Result<Self> {
        let body = unframe(State::WHAT, State::KIND, State::VERSION, State::MOST, state)?;
        let mut reader = Reader::new(State::WHAT, body);
        let [_applied, _delimited, ratified, retained] = [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?];
        Ok(Self { ratified, retained })
    }
}

impl Message for State {
    const WHAT: &'static str = "state of a replica";
    const KIND: u8 = 16;
    const MOST: usize = 96 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.applied).u64(self.delimited).u64(self.ratified).u64(self.retained);
        writer.digest(&self.head).u64(self.issued_ms);
        writer.u64(self.root.page.unwrap_or(0)).digest(&self.root.hash).u64(self.next_page).u64(self.pending);
        self.policy.write(writer);
        writer.option(self.announced.as_ref(), |policy, writer| policy.write(writer));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            applied: reader.u64()?,
            delimited: reader.u64()?,
            ratified: reader.u64()?,
            retained: reader.u64()?,
            head: reader.digest()?,
            issued_ms: reader.u64()?,
            // Pages are counted from 1.
            root: Root { page: Some(reader.u64()?).filter(|page| *page > 0), hash: reader.digest()? },
            next_page: reader.u64()?,
            pending: reader.u64()?,
            policy: Arc::new(RealmPolicy::read(reader)?),
            announced: reader.option(RealmPolicy::read)?.map(Arc::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_that_of_the_state() {
        let golden = include_bytes!("../../tests/fixtures/state-1.bin");
        let state = State::from_bytes(golden).unwrap();
        let state = State { applied: 9, delimited: 8, ratified: 7, retained: 6, ..state };
        assert_eq!(Window::of(&state.to_bytes()).unwrap(), Window { ratified: 7, retained: 6 });
        let mut damaged = state.to_bytes();
        damaged[40] ^= 1;
        assert!(Window::of(&damaged).is_err());
    }
}
