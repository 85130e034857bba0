//! Whole objects, read without opening them first.

use plastron_config::ErrorKind;

use crate::error::Fault;
use crate::options::ChecksumPolicy;
use crate::stats::Event;
use crate::testing::{Fate, FaultyStore, Op, bucket_over, busy, noise, open_over, options};

const PART: usize = 256 << 10;

#[tokio::test]
async fn a_small_object_takes_one_request() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    for (length, gets, heads) in
        [(1, 1, 0), (PART - 1, 1, 0), (PART, 1, 0), (PART + 1, 2, 0), (5 * PART, 5, 0), (0, 1, 1)]
    {
        let name = format!("a{length}");
        let put = bucket.put(&name, noise(length)).await.unwrap();
        store.heal();
        let (info, bytes) = bucket.get(&name).await.unwrap();
        assert!(bytes == noise(length), "{length}");
        assert_eq!((info.size, &info.etag, info.checksums), (put.size, &put.etag, put.checksums), "{length}");
        assert_eq!((store.count(Op::Get), store.count(Op::Head)), (gets, heads), "{length}");
    }
}

#[tokio::test]
async fn checksums_at_the_side_are_used() {
    let store = FaultyStore::new();
    let mut options = options();
    options.part_size = 1 << 30;
    let bucket = open_over(&store, options).await.unwrap();
    let data = noise(301 * PART);
    bucket.put("a", data.clone()).await.unwrap();
    store.heal();
    assert!(bucket.get("a").await.unwrap().1 == data);
    assert_eq!((store.count(Op::Get), store.count(Op::Head)), (2, 0));
    assert_eq!(bucket.stats().event(Event::UnverifiedRead), 0);
}

#[tokio::test]
async fn a_flipped_bit_is_healed_or_reported() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    for length in [10, 3 * PART] {
        let name = format!("a{length}");
        bucket.put(&name, noise(length)).await.unwrap();
        store.once(Op::Get, 0, Fate::Flip(3));
        assert!(bucket.get(&name).await.unwrap().1 == noise(length));
        store.judge(|op, _, _| if op == Op::Get { Fate::Flip(3) } else { Fate::Go });
        assert_eq!(bucket.get(&name).await.unwrap_err().kind(), ErrorKind::Corrupt);
        store.judge(|op, _, _| if op == Op::Get { Fate::Truncate(4) } else { Fate::Go });
        assert_eq!(bucket.get(&name).await.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert_eq!(bucket.stats().event(Event::CorruptRead), 4);
}

#[tokio::test]
async fn an_object_that_is_replaced_on_the_way_is_not_mixed() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    bucket.put("a", noise(3 * PART)).await.unwrap();
    let other = store.clone();
    store.judge(move |op, _, count| {
        if op == Op::Get && count == 1 {
            futures::executor::block_on(other.plant("a", noise(3 * PART)));
        }
        Fate::Go
    });
    assert_eq!(bucket.get("a").await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_said() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    assert_eq!(bucket.get("a").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bucket.get("").await.unwrap_err().kind(), ErrorKind::Invalid);
    bucket.put("a", noise(1)).await.unwrap();
    store.once(Op::Get, 0, Fate::Fail(busy()));
    assert_eq!(bucket.get("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    // An answer of no meaning, though the object has bytes: that answer is the error.
    let odd = || object_store::Error::Generic { store: "faulty", source: "odd".into() };
    store.once(Op::Get, 0, Fate::Fail(odd()));
    let error = bucket.get("a").await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Provider { message, .. } if message == "odd"), "{error}");
    store.plant("foreign", vec![7; 9]).await;
    assert_eq!(bucket.get("foreign").await.unwrap().1, vec![7; 9]);
    assert_eq!(bucket.stats().event(Event::UnverifiedRead), 1);
    let mut options = options();
    options.checksums = ChecksumPolicy::Required;
    let strict = open_over(&store, options).await.unwrap();
    assert_eq!(strict.get("foreign").await.unwrap_err().kind(), ErrorKind::Unsupported);
}
