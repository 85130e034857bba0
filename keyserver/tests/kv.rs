//! The suite that every local database passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;

use bytes::Bytes;
use plastron_keyserver::kv::{Batch, Change, Direction, Kv, KvRead, MemoryKv, Trace, TraceEvent, TraceKv};
use proptest::prelude::*;

fn suite(kv: &dyn Kv) {
    let mut batch = Batch::new();
    for number in [3_u64, 1, 256, 2] {
        batch.put(number.to_be_bytes().to_vec(), vec![number as u8]);
    }
    batch.put(&b"\x01other"[..], &b"x"[..]);
    batch.remove(2_u64.to_be_bytes().to_vec());
    batch.remove(&b"never there"[..]);
    kv.write(batch).unwrap();
    assert_eq!(kv.get(&3_u64.to_be_bytes()).unwrap().unwrap(), [3][..]);
    assert_eq!(kv.get(&2_u64.to_be_bytes()).unwrap(), None);
    let numbers = |read: &dyn KvRead, from: u64, to: u64, direction, most| -> Vec<u64> {
        let pairs = read.range(&from.to_be_bytes(), &to.to_be_bytes(), direction, most).unwrap();
        pairs.iter().map(|(key, _)| u64::from_be_bytes(key[..].try_into().unwrap())).collect()
    };
    assert_eq!(numbers(kv.read(), 0, 1000, Direction::Forward, 9), [1, 3, 256]);
    assert_eq!(numbers(kv.read(), 0, 1000, Direction::Backward, 2), [256, 3]);
    assert_eq!(numbers(kv.read(), 1, 3, Direction::Forward, 9), [1]);
    assert_eq!(numbers(kv.read(), 3, 1, Direction::Forward, 9), Vec::<u64>::new());
    assert_eq!(numbers(kv.read(), 0, 1000, Direction::Forward, 0), Vec::<u64>::new());
    // A snapshot stays as it is.
    let before = kv.snapshot().unwrap();
    let mut batch = Batch::new();
    batch.remove(1_u64.to_be_bytes().to_vec());
    batch.put(3_u64.to_be_bytes().to_vec(), &b"new"[..]);
    batch.put(4_u64.to_be_bytes().to_vec(), Bytes::new());
    kv.write(batch).unwrap();
    assert_eq!(numbers(&*before, 0, 1000, Direction::Forward, 9), [1, 3, 256]);
    assert_eq!(before.get(&3_u64.to_be_bytes()).unwrap().unwrap(), [3][..]);
    assert_eq!(numbers(kv.read(), 0, 1000, Direction::Forward, 9), [3, 4, 256]);
    assert_eq!(kv.get(&4_u64.to_be_bytes()).unwrap().unwrap(), Bytes::new());
    // Of two changes to a key, the later holds.
    let mut batch = Batch::new();
    batch.put(&b"k"[..], &b"1"[..]);
    batch.remove(&b"k"[..]);
    batch.put(&b"k"[..], &b"2"[..]);
    kv.write(batch).unwrap();
    assert_eq!(kv.get(b"k").unwrap().unwrap(), &b"2"[..]);
    kv.write(Batch::new()).unwrap();
}

trait AsRead {
    fn read(&self) -> &dyn KvRead;
}

impl AsRead for dyn Kv + '_ {
    fn read(&self) -> &dyn KvRead {
        self
    }
}

/// Random batches against a map.
fn model(kv: &dyn Kv, batches: &[Vec<(u8, Option<u8>)>]) {
    let mut map = BTreeMap::new();
    for changes in batches {
        let mut batch = Batch::new();
        for (key, value) in changes {
            match value {
                Some(value) => {
                    batch.put(vec![*key], vec![*value]);
                    map.insert(vec![*key], vec![*value]);
                }
                None => {
                    batch.remove(vec![*key]);
                    map.remove(&vec![*key]);
                }
            }
        }
        kv.write(batch).unwrap();
    }
    let all = kv.range(&[], &[255, 255], Direction::Forward, 1000).unwrap();
    assert!(all.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).eq(map));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn scenario_25_databases_agree_with_a_map(
        batches in prop::collection::vec(prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 0..20), 0..8)
    ) {
        model(&MemoryKv::new(), &batches);
    }
}

#[test]
fn in_memory() {
    suite(&MemoryKv::new());
}

#[test]
fn traced() {
    let trace = Trace::default();
    let kv = TraceKv::new(MemoryKv::new(), trace.clone());
    suite(&kv);
    let before = trace.events().len();
    let mut batch = Batch::new();
    batch.put(&b"a"[..], &b"b"[..]);
    trace.note("first");
    kv.write(batch).unwrap();
    trace.note("last");
    let put = Change::Put(Bytes::from_static(b"a"), Bytes::from_static(b"b"));
    let happened = |what: &str| TraceEvent::Happened(what.to_owned());
    assert_eq!(trace.events()[before..], [happened("first"), TraceEvent::Written(vec![put]), happened("last")]);
}

#[cfg(feature = "fjall")]
mod on_disk {
    use plastron_keyserver::ErrorKind;
    use plastron_keyserver::kv::FjallDatabase;

    use super::*;

    #[test]
    fn passes_the_suite_and_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        {
            let database = FjallDatabase::open(directory.path(), 8 << 20).unwrap();
            suite(&database.kv("state").unwrap());
            suite(&database.kv("log").unwrap());
            // Nobody else opens it meanwhile.
            let error = FjallDatabase::open(directory.path(), 8 << 20).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        let database = FjallDatabase::open(directory.path(), 8 << 20).unwrap();
        assert_eq!(database.kv("state").unwrap().get(b"k").unwrap().unwrap(), &b"2"[..]);
        assert_eq!(database.kv("third").unwrap().get(b"k").unwrap(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]
        #[test]
        fn agrees_with_a_map(
            batches in prop::collection::vec(prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 0..20), 0..8)
        ) {
            let directory = tempfile::tempdir().unwrap();
            model(&FjallDatabase::open(directory.path(), 8 << 20).unwrap().kv("k").unwrap(), &batches);
        }
    }
}
