//! Reads against a store that fails, and against plain bytes.

use std::ops::Range;

use bytes::BytesMut;
use futures::TryStreamExt;
use plastron_config::ErrorKind;
use proptest::prelude::*;

use crate::bucket::Bucket;
use crate::error::Fault;
use crate::options::ChecksumPolicy;
use crate::stats::Event;
use crate::testing::{Fate, FaultyStore, Op, bucket_over, busy, noise, open_over, options};

const BLOCK: usize = 256 << 10;
const MANY_BLOCKS: usize = 300 * BLOCK + 1;

#[tokio::test]
async fn ranges_are_exact_and_checked() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let data = noise(3 * BLOCK + 100);
    bucket.put("a", data.clone()).await.unwrap();
    let object = bucket.open_object("a").await.unwrap();
    store.heal();
    let size = data.len() as u64;
    for range in [0..0, 5..5, size..size] {
        assert!(object.read(range).await.unwrap().is_empty());
    }
    assert_eq!(store.count(Op::Get), 0);
    #[allow(clippy::reversed_empty_ranges, reason = "that is the point")]
    for range in [0..size + 1, size..size + 1, size + 1..size + 1, 7..3, u64::MAX - 1..u64::MAX] {
        let error = object.read(range.clone()).await.unwrap_err();
        assert!(matches!(error.fault(), Fault::Range { .. }), "{range:?}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(object.stream(range.clone()).try_collect::<Vec<_>>().await.is_err());
        assert!(object.read_many(&[0..1, range]).await.is_err());
    }
    assert_eq!(store.count(Op::Get), 0);
    assert_eq!(object.read(10..20).await.unwrap(), &data[10..20]);
    assert_eq!(store.count(Op::Get), 1);
    assert_eq!(object.read(0..size).await.unwrap(), data);
    assert_eq!(store.count(Op::Get), 5);
    // The whole took one HEAD.
    assert_eq!(store.count(Op::Head), 0);
    assert_eq!(bucket.stats().event(Event::UnverifiedRead), 0);
}

#[tokio::test]
async fn neighbouring_ranges_share_requests() {
    let store = FaultyStore::new();
    let mut options = options();
    options.part_size = 8 << 20;
    let bucket = open_over(&store, options).await.unwrap();
    let data = noise(20 * BLOCK);
    bucket.put("a", data.clone()).await.unwrap();
    let object = bucket.open_object("a").await.unwrap();
    store.heal();
    let block = BLOCK as u64;
    let ranges = [3 * block..3 * block + 5, 0..10, block - 1..block + 1, 19 * block..20 * block, 4..4];
    let read = object.read_many(&ranges).await.unwrap();
    for (range, bytes) in ranges.iter().zip(&read) {
        assert_eq!(*bytes, &data[range.start as usize..range.end as usize]);
    }
    assert_eq!(store.count(Op::Get), 2);
    assert!(object.read_many(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_bit_flipped_on_the_way_is_healed() {
    for (size, at) in [(10, 3), (BLOCK, BLOCK - 1), (3 * BLOCK, BLOCK)] {
        let store = FaultyStore::new();
        let mut options = options();
        options.part_size = 1 << 20;
        let bucket = open_over(&store, options).await.unwrap();
        bucket.put("a", noise(size)).await.unwrap();
        let object = bucket.open_object("a").await.unwrap();
        store.once(Op::Get, 0, Fate::Flip(at));
        assert!(object.read_all().await.unwrap() == noise(size));
        assert_eq!(bucket.stats().event(Event::CorruptRead), 1);
        assert_eq!(store.count(Op::Get), 2);
    }
}

#[tokio::test]
async fn corrupt_bytes_are_never_returned() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    bucket.put("a", noise(3 * BLOCK)).await.unwrap();
    let object = bucket.open_object("a").await.unwrap();
    // The second block is broken in the store.
    store.judge(|op, _, _| if op == Op::Get { Fate::Flip(77) } else { Fate::Go });
    let block = BLOCK as u64;
    let error = object.read(block + 5..block + 6).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let Fault::Corrupt { what, start, end, check } = error.fault() else { panic!("{error}") };
    assert_eq!((what.as_str(), *start, *end), ("a", block, 2 * block));
    let expected = crc32c::crc32c(&noise(2 * BLOCK)[BLOCK..]);
    assert!(check.contains(&format!("{expected:08x}")), "{check}");
    assert_eq!(store.count(Op::Get), 2);
    for result in [
        object.read_all().await.map(drop),
        object.read_many(&[0..1, block..block + 1]).await.map(drop),
        object.stream(0..3 * block).try_collect::<Vec<_>>().await.map(drop),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    // A response that is too short is not passed on either.
    store.judge(|op, _, _| if op == Op::Get { Fate::Truncate(100) } else { Fate::Go });
    assert_eq!(object.read(0..block).await.unwrap_err().kind(), ErrorKind::Corrupt);
    store.judge(|op, _, _| if op == Op::Get { Fate::Fail(busy()) } else { Fate::Go });
    assert_eq!(object.read(0..block).await.unwrap_err().kind(), ErrorKind::Unavailable);
    store.heal();
    assert!(object.read_all().await.unwrap() == noise(3 * BLOCK));
}

#[tokio::test]
async fn checksums_at_the_side_are_checked_themselves() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    bucket.put("a", noise(MANY_BLOCKS)).await.unwrap();
    let side = store.keys().await.into_iter().find(|key| key.starts_with("_plastron/")).unwrap();
    let is_side = |key: &str| key.starts_with("_plastron/");
    // Healed: flipped once on the way.
    store.once(Op::Get, 0, Fate::Flip(60));
    let object = bucket.open_object("a").await.unwrap();
    assert_eq!(object.read(0..3).await.unwrap(), &noise(3)[..]);
    assert_eq!(bucket.stats().event(Event::CorruptRead), 1);
    // Broken in the store: reported, and nothing is read without them.
    store.judge(move |op, key, _| if op == Op::Get && is_side(key) { Fate::Flip(60) } else { Fate::Go });
    let object = bucket.open_object("a").await.unwrap();
    let error = object.read(0..3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&side), "{error}");
    // An error of the moment is not remembered.
    store.once(Op::Get, 0, Fate::Fail(busy()));
    let object = bucket.open_object("a").await.unwrap();
    assert_eq!(object.read(0..3).await.unwrap_err().kind(), ErrorKind::Unavailable);
    object.read(0..3).await.unwrap();
    // Missing: corrupt as long as the object is there.
    let object = bucket.open_object("a").await.unwrap();
    bucket.system().delete(&side).await.unwrap();
    assert_eq!(object.read(0..3).await.unwrap_err().kind(), ErrorKind::Corrupt);
    bucket.delete("a").await.unwrap();
    assert_eq!(object.read(0..3).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_object_that_was_replaced_is_not_read() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    bucket.put("a", "first").await.unwrap();
    let object = bucket.open_object("a").await.unwrap();
    store.plant("a", "other").await;
    for fate in [Fate::Go, Fate::Unconditional] {
        store.once(Op::Get, 0, fate);
        let error = object.read(0..5).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let now = bucket.head("a").await.unwrap().etag;
        assert!(
            matches!(error.fault(), Fault::Replaced { expected, found } if expected == object.etag() && *found == now),
            "{error}"
        );
    }
    bucket.delete("a").await.unwrap();
    assert_eq!(object.read(0..5).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn objects_of_others_are_read_and_counted_or_refused() {
    let store = FaultyStore::new();
    store.plant("a", "theirs").await;
    let bucket = bucket_over(&store).await;
    assert_eq!(bucket.head("a").await.unwrap().checksums, crate::Checksums::None);
    let object = bucket.open_object("a").await.unwrap();
    assert_eq!(object.read(1..4).await.unwrap(), "hei");
    assert_eq!(bucket.stats().event(Event::UnverifiedRead), 1);
    let mut options = options();
    options.checksums = ChecksumPolicy::Required;
    let strict = open_over(&store, options).await.unwrap();
    let error = strict.open_object("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("checksums=required"), "{error}");
    strict.put("b", "ours").await.unwrap();
    assert_eq!(strict.open_object("b").await.unwrap().read_all().await.unwrap(), "ours");
}

#[tokio::test]
async fn an_object_of_another_size_than_was_created_is_corrupt() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    bucket.put("a", "hello").await.unwrap();
    let object = bucket.open_object("a").await.unwrap();
    store.memory.shrink("a");
    assert_eq!(bucket.head("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(bucket.open_object("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(object.read(0..2).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(bucket.exists("a").await.unwrap());
    bucket.delete("a").await.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// An object of `size` bytes, with or without checksums.
async fn object_of(size: usize, part_size: u64, foreign: bool) -> (Bucket, Vec<u8>) {
    let store = FaultyStore::new();
    let mut options = options();
    options.part_size = part_size;
    let bucket = open_over(&store, options).await.unwrap();
    let data = noise(size);
    if foreign {
        store.plant("a", data.clone()).await;
    } else {
        bucket.put("a", data.clone()).await.unwrap();
    }
    (bucket, data)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn reads_are_those_of_plain_bytes(
        size in 0..2_000_000_usize, part in 1..1_000_000_u64, foreign: bool,
        ranges in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..8),
    ) {
        runtime().block_on(async {
            let (bucket, data) = object_of(size, part, foreign).await;
            let object = bucket.open_object("a").await.unwrap();
            let ranges: Vec<Range<u64>> = ranges
                .into_iter()
                .map(|(a, b)| (a.index(size + 1) as u64, b.index(size + 1) as u64))
                .map(|(a, b)| a.min(b)..a.max(b))
                .collect();
            let model = |range: &Range<u64>| &data[range.start as usize..range.end as usize];
            let many = object.read_many(&ranges).await.unwrap();
            assert_eq!(many.len(), ranges.len());
            for (range, bytes) in ranges.iter().zip(many) {
                assert!(bytes == model(range), "read_many {range:?}");
                assert!(object.read(range.clone()).await.unwrap() == model(range), "read {range:?}");
                let pieces: Vec<_> = object.stream(range.clone()).try_collect().await.unwrap();
                assert!(pieces.concat() == model(range), "stream {range:?}");
            }
        });
    }
}

#[test]
fn places_in_a_buffer_are_put_together_without_copying() {
    let mut rest = BytesMut::with_capacity(1000);
    let start = rest.as_ptr();
    let mut places = Vec::new();
    for length in [300, 600, 100] {
        let later = rest.split_off(length);
        places.push((length, std::mem::replace(&mut rest, later)));
    }
    let mut whole = BytesMut::new();
    for (length, mut place) in places {
        place.extend_from_slice(&vec![length as u8; length]);
        whole.unsplit(place);
    }
    assert_eq!((whole.len(), whole.as_ptr()), (1000, start));
}
