//! Records that were read or written lately, as they are on disk, so that a call about one of them is decided at once.
//!
//! Bounded by number and bytes: what was used since the last turn is young; when there are too many young ones they become the old ones, and the old ones are forgotten.

use std::collections::HashMap;

use super::record::{Content, Record};

/// Young records, and their bytes; there may be as many old ones.
const MAX_YOUNG: usize = 8192;
const MAX_YOUNG_BYTES: usize = 8 << 20;
/// About what a record takes beside its key, path and value.
const RECORD_BYTES: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Known {
    young: HashMap<Vec<u8>, Record>,
    old: HashMap<Vec<u8>, Record>,
    bytes: usize,
}

fn weight(key: &[u8], record: &Record) -> usize {
    let value = if let Content::Value(bytes) = &record.content { bytes.len() } else { 0 };
    RECORD_BYTES + key.len() + value + record.last.as_ref().map_or(0, |last| last.path.len())
}

impl Known {
    /// The record of `key`, if it is known.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<&Record> {
        if let Some((key, record)) = self.old.remove_entry(key) {
            // A younger one would have replaced it.
            self.insert(key, record);
        }
        self.young.get(key)
    }

    /// The record of `key` is this.
    pub(super) fn insert(&mut self, key: Vec<u8>, record: Record) {
        self.old.remove(&key);
        if self.young.len() >= MAX_YOUNG || self.bytes >= MAX_YOUNG_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.old.remove(&key);
            self.bytes = 0;
        }
        self.bytes += weight(&key, &record);
        if let Some(before) = self.young.get(&key) {
            self.bytes = self.bytes.saturating_sub(weight(&key, before));
        }
        self.young.insert(key, record);
    }
}

#[cfg(test)]
mod test {
    use std::collections::HashMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn record(sequence: u64, bytes: usize) -> Record {
        Record { sequence, content: Content::Value(vec![7; bytes].into()), ..Record::default() }
    }

    proptest! {
        #[test]
        fn what_is_known_is_what_came_last(steps in prop::collection::vec((0_u8..40, 0_usize..=(1 << 19), any::<bool>()), 1..200)) {
            let (mut known, mut model) = (Known::default(), HashMap::new());
            for (number, (key, bytes, write)) in (1..).zip(steps) {
                let key = vec![key];
                if write {
                    model.insert(key.clone(), number);
                    known.insert(key, record(number, bytes));
                } else if let Some(found) = known.get(&key) {
                    prop_assert_eq!(Some(&found.sequence), model.get(&key));
                }
                let sum: usize = known.young.iter().map(|(key, record)| weight(key, record)).sum();
                prop_assert_eq!(known.bytes, sum);
                prop_assert!(known.bytes <= MAX_YOUNG_BYTES + (1 << 20));
            }
        }
    }

    #[test]
    fn what_is_used_stays() {
        let mut known = Known::default();
        for number in 0..4 * MAX_YOUNG as u64 {
            known.insert(number.to_le_bytes().to_vec(), Record { sequence: number, ..Record::default() });
            assert_eq!(known.get(&0_u64.to_le_bytes()).map(|record| record.sequence), Some(0), "{number}");
        }
        assert!(known.young.len() <= MAX_YOUNG && known.old.len() <= MAX_YOUNG);
        assert!(known.get(&Bytes::from_static(b"another")).is_none());
    }
}
