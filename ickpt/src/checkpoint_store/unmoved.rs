//! Records that are in the journal and not in the database yet, as bytes. There are no more of them than the journal's two files have room for.

use std::collections::HashMap;
use std::sync::Arc;

type Records = HashMap<Vec<u8>, Vec<u8>>;

/// What is to be moved in one transaction: the newest record of each key of one file.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) records: Records,
    /// The last entry of that file.
    pub(super) last: u64,
}

/// Records by key: those of the file that takes entries, and those of the other one until they have moved.
#[derive(Debug, Default)]
pub(super) struct Unmoved {
    newest: Records,
    sealed: Option<Arc<Sealed>>,
    /// Whether nobody waits for more to be moved.
    pub(super) stopped: bool,
}

impl Unmoved {
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let sealed = || self.sealed.as_ref().and_then(|sealed| sealed.records.get(key));
        self.newest.get(key).or_else(sealed).map(Vec::as_slice)
    }

    pub(super) fn insert(&mut self, key: Vec<u8>, record: Vec<u8>) {
        self.newest.insert(key, record);
    }

    /// Whether the file that takes entries has none.
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// That file takes no more: its last entry was `last`. What was sealed before has moved.
    pub(super) fn seal(&mut self, last: u64) {
        let records = std::mem::take(&mut self.newest);
        self.sealed = Some(Arc::new(Sealed { records, last }));
    }

    /// What is to be moved.
    pub(super) fn sealed(&self) -> Option<Arc<Sealed>> {
        self.sealed.clone()
    }

    /// It was moved.
    pub(super) fn moved(&mut self) {
        self.sealed = None;
    }

    /// Bytes of keys and records.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let of = |records: &Records| records.iter().map(|(key, record)| key.len() + record.len()).sum::<usize>();
        of(&self.newest) + self.sealed.as_ref().map_or(0, |sealed| of(&sealed.records))
    }
}
