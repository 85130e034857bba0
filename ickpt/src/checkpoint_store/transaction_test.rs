//! The life of a transaction, row by row, and the record's form.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::refusal::Reason;
use crate::value::{Epoch, InstanceId, Members, Stamp};

const TIMEOUT: Duration = Duration::from_secs(10);

/// One URL of one instance.
#[derive(Default)]
struct Url {
    record: Record,
    slot: Slot,
    now: Duration,
}

impl Url {
    fn apply(&mut self, changed: Option<Record>) -> bool {
        let wrote = changed.is_some();
        if let Some(record) = changed {
            self.record = record;
        }
        wrote
    }

    fn put(&mut self, path: &str, stamp: Option<(u128, u64)>, bytes: &'static str) -> Result<(), Reason> {
        self.write(path, stamp, Some(Bytes::from_static(bytes.as_bytes())))
    }

    fn write(&mut self, path: &str, stamp: Option<(u128, u64)>, bytes: Option<Bytes>) -> Result<(), Reason> {
        let stamp = stamp.map(|(epoch, count)| Stamp { epoch: Epoch(epoch), count });
        let write = Write { bytes, stamp, members: Members::default() };
        let staged = Staged { path: Bytes::copy_from_slice(path.as_bytes()), write, at: self.now };
        stage(&self.record, &mut self.slot, staged).map_err(|refusal| refusal.reason())
    }

    /// Whether something was written.
    fn post(&mut self, path: &str) -> Result<bool, Reason> {
        let changed = commit(&self.record, &mut self.slot, path.as_bytes(), self.now, TIMEOUT);
        changed.map(|changed| self.apply(changed)).map_err(|refusal| refusal.reason())
    }

    fn get(&mut self, fence: Option<u128>, keep: bool) -> Result<Content, Reason> {
        let changed = look(&self.record, &mut self.slot, fence.map(Epoch), keep);
        changed.map(|changed| self.apply(changed)).map_err(|refusal| refusal.reason())?;
        Ok(self.record.content.clone())
    }
}

fn value(text: &'static str) -> Content {
    Content::Value(Bytes::from_static(text.as_bytes()))
}

#[test]
fn what_is_posted_is_there() {
    let mut url = Url::default();
    assert_eq!(url.post("/1"), Err(Reason::NothingStaged));
    url.put("/1", None, "a").unwrap();
    assert_eq!(url.get(None, true), Ok(Content::Nothing), "it is only staged");
    assert_eq!(url.post("/1"), Ok(true));
    assert_eq!((url.get(None, true), url.record.sequence), (Ok(value("a")), 1));
    url.write("/2", None, None).unwrap();
    assert_eq!(url.post("/2"), Ok(true));
    assert_eq!((url.get(None, true), url.record.sequence), (Ok(Content::Deleted), 2));
    // A deletion of nothing is a commit too.
    let mut other = Url::default();
    other.write("/", None, None).unwrap();
    assert_eq!(other.post("/"), Ok(true));
}

#[test]
fn the_last_post_may_be_repeated_until_something_newer() {
    let mut url = Url::default();
    url.put("/1", None, "a").unwrap();
    assert_eq!((url.post("/1"), url.post("/1"), url.post("/1")), (Ok(true), Ok(false), Ok(false)));
    assert_eq!(url.get(None, false), Ok(value("a")));
    assert_eq!(url.post("/1"), Ok(false), "a GET changes nothing here");
    url.put("/2", None, "b").unwrap();
    assert_eq!(url.post("/1"), Err(Reason::OtherPath));
    assert_eq!((url.post("/2"), url.post("/1")), (Ok(true), Err(Reason::NothingStaged)));
    // The same again from the beginning writes nothing; something else under the same path does.
    url.put("/2", None, "b").unwrap();
    assert_eq!((url.post("/2"), url.record.sequence), (Ok(false), 2));
    url.put("/2", None, "c").unwrap();
    assert_eq!((url.post("/2"), url.get(None, true)), (Ok(true), Ok(value("c"))));
}

#[test]
fn a_later_one_replaces_an_earlier_one() {
    let mut url = Url::default();
    url.put("/1", None, "a").unwrap();
    url.write("/2", None, None).unwrap();
    url.put("/3", None, "c").unwrap();
    assert_eq!((url.post("/1"), url.post("/2")), (Err(Reason::OtherPath), Err(Reason::OtherPath)));
    assert_eq!((url.post("/3"), url.get(None, true)), (Ok(true), Ok(value("c"))));
}

#[test]
fn a_get_discards_unless_it_keeps() {
    let mut url = Url::default();
    url.put("/1", None, "a").unwrap();
    url.get(None, true).unwrap();
    assert_eq!(url.post("/1"), Ok(true));
    url.put("/2", None, "b").unwrap();
    url.get(None, false).unwrap();
    assert_eq!((url.post("/2"), url.post("/3")), (Err(Reason::Discarded), Err(Reason::NothingStaged)));
    assert_eq!(url.post("/1"), Err(Reason::NothingStaged), "something newer was staged");
}

#[test]
fn what_is_staged_expires_at_the_commit() {
    let mut url = Url::default();
    url.put("/1", None, "a").unwrap();
    url.now = TIMEOUT;
    assert_eq!(url.post("/1"), Ok(true), "at the very limit");
    url.put("/2", None, "b").unwrap();
    url.now = TIMEOUT * 2 + Duration::from_nanos(1);
    assert_eq!((url.post("/2"), url.post("/2")), (Err(Reason::Expired), Err(Reason::Expired)));
    assert_eq!(url.get(None, true), Ok(value("a")));
}

#[test]
fn a_promise_fences() {
    let mut url = Url::default();
    url.put("/1", Some((4, 0)), "a").unwrap();
    assert_eq!(url.get(Some(7), false), Ok(Content::Nothing));
    assert_eq!(url.post("/1"), Err(Reason::Discarded));
    assert_eq!(url.get(Some(6), false), Err(Reason::Fenced));
    assert_eq!(url.get(Some(7), false), Ok(Content::Nothing), "the same again");
    assert_eq!(url.put("/2", Some((6, 9)), "b"), Err(Reason::Fenced));
    assert_eq!(url.put("/2", None, "b"), Err(Reason::Fenced), "nothing is committed, and there is a promise");
    url.put("/3", Some((7, 1)), "c").unwrap();
    assert_eq!(url.get(Some(6), false), Err(Reason::Fenced));
    assert_eq!((url.post("/3"), url.get(None, true)), (Ok(true), Ok(value("c"))), "a refused GET discards nothing");
    // A value is a promise of its epoch too.
    url.put("/4", Some((9, 0)), "d").unwrap();
    assert_eq!((url.post("/4"), url.record.promised), (Ok(true), Epoch(9)));
    assert_eq!(url.get(Some(8), false), Err(Reason::Fenced));
}

#[test]
fn what_is_refused_leaves_what_was_staged() {
    let mut url = Url::default();
    url.put("/1", Some((4, 5)), "a").unwrap();
    url.post("/1").unwrap();
    url.put("/2", Some((4, 6)), "b").unwrap();
    assert_eq!(url.put("/3", Some((4, 4)), "c"), Err(Reason::Older));
    assert_eq!(url.put("/3", None, "c"), Err(Reason::Unversioned));
    assert_eq!(url.post("/2"), Ok(true));
    assert_eq!(url.put("/5", Some((4, 6)), "x"), Err(Reason::Older), "the same version, and another value");
    url.put("/5", Some((4, 6)), "b").unwrap();
    assert_eq!(url.post("/5"), Ok(true), "the same value under another path");
}

fn record() -> impl Strategy<Value = Record> {
    let content = prop_oneof![
        Just(Content::Nothing),
        Just(Content::Deleted),
        proptest::collection::vec(any::<u8>(), 1..200).prop_map(|bytes| Content::Value(bytes.into())),
    ];
    let stamp =
        proptest::option::of((1_u128.., any::<u64>()).prop_map(|(epoch, count)| Stamp { epoch: Epoch(epoch), count }));
    let members = proptest::collection::btree_set(any::<u128>(), 0..9);
    let last = (proptest::collection::vec(any::<u8>(), 1..40), any::<bool>(), any::<[u8; 32]>());
    (any::<u128>(), any::<u64>(), content, stamp, members, proptest::option::of(last)).prop_map(
        |(promised, sequence, content, stamp, members, last)| Record {
            promised: Epoch(promised),
            sequence,
            content,
            stamp,
            members: Members::new(members.into_iter().map(InstanceId)).unwrap(),
            last: last.map(|(path, put, digest)| LastCommit {
                path: path.into(),
                operation: if put { Operation::Put } else { Operation::Delete },
                digest,
            }),
        },
    )
}

proptest! {
    #[test]
    fn records_are_read_as_written(record in record(), key: Vec<u8>) {
        let bytes = record.encode(&key);
        prop_assert_eq!(&Record::decode(&key, &bytes).unwrap(), &record);
        let mut other = key.clone();
        other.push(b'x');
        prop_assert!(Record::decode(&other, &bytes).is_err(), "it is another URL's");
    }

    #[test]
    fn a_changed_bit_is_found(record in record(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = record.encode(b"k");
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Record::decode(b"k", &bytes).is_err());
        prop_assert!(Record::decode(b"k", &bytes[..at]).is_err());
    }
}
