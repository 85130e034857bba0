//! Changes that are decided and not yet on disk, seen over the database that they are for.
//!
//! So several batches become one, which is synced once: whoever decides the later ones reads what the earlier ones will have written.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::{Batch, Change, Direction, KvRead, Pair};
use crate::Result;

/// The changes: of several to one key the last.
#[derive(Debug, Default)]
pub(crate) struct Staged(BTreeMap<Bytes, Option<Bytes>>);

impl Staged {
    /// Takes in a batch.
    pub(crate) fn stage(&mut self, batch: Batch) {
        for change in batch.into_changes() {
            match change {
                Change::Put(key, value) => drop(self.0.insert(key, Some(value))),
                Change::Remove(key) => drop(self.0.insert(key, None)),
            }
        }
    }

    /// All of them in one batch.
    pub(crate) fn take(&mut self) -> Batch {
        let mut batch = Batch::new();
        for (key, value) in std::mem::take(&mut self.0) {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.remove(key),
            }
        }
        batch
    }

    /// The database as it will be.
    pub(crate) fn over<'a>(&'a self, below: &'a dyn KvRead) -> Over<'a> {
        Over { staged: self, below }
    }
}

/// A database with staged changes over it.
pub(crate) struct Over<'a> {
    staged: &'a Staged,
    below: &'a dyn KvRead,
}

impl KvRead for Over<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match self.staged.0.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.get(key),
        }
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let staged = || self.staged.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        let count = staged().count();
        if count == 0 {
            return self.below.range(from, to, direction, most);
        }
        // As many more as can be gone, or be other ones.
        let below = self.below.range(from, to, direction, most.saturating_add(count))?;
        let mut merged: BTreeMap<Bytes, Bytes> = below.into_iter().collect();
        for (key, value) in staged() {
            match value {
                Some(value) => drop(merged.insert(key.clone(), value.clone())),
                None => drop(merged.remove(key)),
            }
        }
        Ok(match direction {
            Direction::Forward => merged.into_iter().take(most).collect(),
            Direction::Backward => merged.into_iter().rev().take(most).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kv::{Kv as _, MemoryKv};

    fn batch(changes: &[(u8, Option<u8>)]) -> Batch {
        let mut batch = Batch::new();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(vec![*key], vec![*value]),
                None => batch.remove(vec![*key]),
            }
        }
        batch
    }

    proptest! {
        #[test]
        fn what_is_staged_reads_as_if_it_were_written(
            below in proptest::collection::vec((0_u8..16, proptest::option::of(any::<u8>())), 0..20),
            above in proptest::collection::vec(proptest::collection::vec((0_u8..16, proptest::option::of(any::<u8>())), 0..8), 0..4),
            from in 0_u8..17, to in 0_u8..17, most in 0_usize..20,
        ) {
            let (kv, model) = (MemoryKv::new(), MemoryKv::new());
            kv.write(batch(&below)).unwrap();
            model.write(batch(&below)).unwrap();
            let mut staged = Staged::default();
            for changes in &above {
                staged.stage(batch(changes));
                model.write(batch(changes)).unwrap();
            }
            let over = staged.over(&kv);
            for key in 0..16 {
                prop_assert_eq!(over.get(&[key]).unwrap(), model.get(&[key]).unwrap());
            }
            for direction in [Direction::Forward, Direction::Backward] {
                let found = over.range(&[from], &[to], direction, most).unwrap();
                prop_assert_eq!(found, model.range(&[from], &[to], direction, most).unwrap());
            }
            kv.write(staged.take()).unwrap();
            prop_assert!(staged.0.is_empty());
            prop_assert_eq!(kv.contents(), model.contents());
        }
    }
}
