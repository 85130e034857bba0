//! Listings against a sorted list of names, and against stores that list badly.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use plastron_config::ErrorKind;
use proptest::prelude::*;

use super::{ListEntry, ListOptions};
use crate::bucket::Bucket;
use crate::testing::{Fate, FaultyStore, Op, bucket_over, busy, open_over, options};

async fn names(bucket: &Bucket, prefix: &str, options: ListOptions) -> Vec<String> {
    bucket.list(prefix, options).map_ok(|entry| entry.name().to_owned()).try_collect().await.unwrap()
}

async fn all(bucket: &Bucket, prefix: &str) -> Vec<String> {
    names(bucket, prefix, ListOptions::default()).await
}

/// What a listing should be.
fn model(keys: &BTreeSet<String>, prefix: &str, options: &ListOptions) -> Vec<String> {
    let after = options.start_after.as_deref().unwrap_or_default();
    let rolled = keys.iter().filter(|name| !name.starts_with("_plastron/") && name.starts_with(prefix)).map(|name| {
        match name[prefix.len()..].find('/') {
            Some(slash) if options.delimiter => name[..=prefix.len() + slash].to_owned(),
            _ => name.clone(),
        }
    });
    let entries: BTreeSet<String> = rolled.filter(|name| name.as_str() > after && name != "_plastron/").collect();
    entries.into_iter().take(options.limit.unwrap_or(usize::MAX)).collect()
}

fn name() -> impl Strategy<Value = String> {
    // Few letters, so that names share beginnings, and those on either side of `/`.
    proptest::collection::vec(
        prop_oneof!["[abz_.0 -]{1,3}", Just("\u{10ffff}".to_owned()), Just("_plastron".to_owned())],
        1..4,
    )
    .prop_map(|segments| segments.join("/"))
    .prop_filter("a name", |name| crate::check_name(name).is_ok())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_listing_is_that_of_a_sorted_set(
        keys in proptest::collection::btree_set(name(), 0..30), prefix in "[abz_./0 -]{0,4}", after in proptest::option::of(name()),
        delimiter: bool, limit in proptest::option::of(0..6_usize), pages: bool, own in prop_oneof![Just(""), Just("a/"), Just("a_")],
        sloppy: bool,
    ) {
        runtime().block_on(async {
            let store = if pages { FaultyStore::new() } else { FaultyStore::streaming() };
            if sloppy && pages {
                store.judge(|_, _, _| Fate::FromTheStart);
            }
            for key in &keys {
                store.plant(&format!("{own}{key}"), "x").await;
            }
            store.plant("a!outside", "x").await;
            let mut bucket_options = options();
            bucket_options.prefix = own.to_owned();
            let bucket = open_over(&store, bucket_options).await.unwrap();
            let options = ListOptions { delimiter, start_after: after, limit };
            let mut expected = keys.clone();
            if own.is_empty() {
                expected.insert("a!outside".to_owned());
            }
            match bucket.list(&prefix, options.clone()).map_ok(|entry| entry.name().to_owned()).try_collect::<Vec<_>>().await {
                Ok(found) => assert_eq!(found, model(&expected, &prefix, &options), "{keys:?}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    assert!(model(&expected, &prefix, &options).is_empty() || options.limit == Some(0));
                }
            }
        });
    }
}

#[tokio::test]
async fn a_hundred_thousand_objects_are_listed_page_by_page() {
    let store = FaultyStore::new();
    for number in 0..100_000_u32 {
        store.plant(&format!("n{number:06}"), "").await;
    }
    let bucket = bucket_over(&store).await;
    store.heal();
    let mut listing = bucket.list("n", ListOptions::default());
    assert_eq!(listing.next().await.unwrap().unwrap().name(), "n000000");
    assert_eq!(store.count(Op::List), 1);
    let mut last = String::new();
    let mut count = 1;
    while let Some(entry) = listing.next().await {
        let entry = entry.unwrap();
        assert!(entry.name() > last.as_str());
        last = entry.name().to_owned();
        count += 1;
    }
    assert_eq!((count, last.as_str()), (100_000, "n099999"));
    assert_eq!(store.count(Op::List), 100);
    // A page is no larger than what is wanted, and a late beginning is not paid for.
    store.heal();
    let options = ListOptions::default().start_after("n050000").limit(3);
    assert_eq!(names(&bucket, "", options).await, ["n050001", "n050002", "n050003"]);
    assert_eq!(store.count(Op::List), 1);
}

#[tokio::test]
async fn a_prefix_is_found_without_reading_what_comes_before() {
    let store = FaultyStore::streaming();
    for number in 0..3000_u32 {
        store.plant(&format!("a{number:04}"), "").await;
        store.plant(&format!("zz{number:04}"), "").await;
    }
    for name in ["zz_", "zz_1", "zz_2", "zz", "zza", "0", "01"] {
        store.plant(name, "").await;
    }
    let bucket = bucket_over(&store).await;
    // The character before `0` is the slash, which no name begins with.
    assert_eq!(all(&bucket, "0").await, ["0", "01"]);
    let before = store.stats.snapshot().requests_of(crate::RequestKind::List);
    assert_eq!(all(&bucket, "zz_").await, ["zz_", "zz_1", "zz_2"]);
    // The store's own pages are counted: one, not six.
    assert_eq!(store.stats.snapshot().requests_of(crate::RequestKind::List) - before, 1);
}

#[tokio::test]
async fn plastrons_own_objects_are_hidden_and_skipped() {
    for store in [FaultyStore::new(), FaultyStore::streaming()] {
        store.plant("Before", "x").await;
        store.plant("_plastrons", "x").await;
        store.plant("z", "x").await;
        for number in 0..5000 {
            store.plant(&format!("_plastron/log/{number:020}.seg"), "x").await;
        }
        let bucket = bucket_over(&store).await;
        store.heal();
        assert_eq!(all(&bucket, "").await, ["Before", "_plastrons", "z"]);
        assert!(store.count(Op::List) <= 2, "{}", store.count(Op::List));
        assert_eq!(names(&bucket, "", ListOptions::default().delimiter()).await, ["Before", "_plastrons", "z"]);
        assert_eq!(all(&bucket, "_plastron").await, ["_plastrons"]);
        assert_eq!(all(&bucket, "_plastron/log/").await, [""; 0]);
        assert_eq!(all(&bucket.system(), "_plastron/log/").await.len(), 5000);
        assert_eq!(all(&bucket.system(), "").await.len(), 5003);
    }
}

#[tokio::test]
async fn prefixes_and_objects_come_in_one_order() {
    for store in [FaultyStore::new(), FaultyStore::streaming()] {
        for name in ["a", "a-b", "a/1", "a/2", "a0", "b/c/d", "b/c/e"] {
            store.plant(name, "xyz").await;
        }
        let bucket = bucket_over(&store).await;
        let delimiter = ListOptions::default().delimiter();
        assert_eq!(names(&bucket, "", delimiter.clone()).await, ["a", "a-b", "a/", "a0", "b/"]);
        assert_eq!(names(&bucket, "b/", delimiter.clone()).await, ["b/c/"]);
        assert_eq!(names(&bucket, "", delimiter.clone().start_after("a/")).await, ["a0", "b/"]);
        assert_eq!(names(&bucket, "", delimiter.clone().limit(3)).await, ["a", "a-b", "a/"]);
        let entries: Vec<ListEntry> = bucket.list("a", delimiter).try_collect().await.unwrap();
        assert!(matches!(&entries[2], ListEntry::Prefix(prefix) if prefix == "a/"));
        let object = entries[0].clone().into_object().unwrap();
        assert_eq!((object.size, object.etag), (3, bucket.head("a").await.unwrap().etag));
    }
}

#[tokio::test]
async fn a_store_that_lists_out_of_order_is_reported() {
    let store = FaultyStore::new();
    for name in ["a", "b", "c"] {
        store.plant(name, "x").await;
    }
    let bucket = bucket_over(&store).await;
    store.judge(|op, _, _| if op == Op::List { Fate::Reversed } else { Fate::Go });
    let listed: Vec<_> = bucket.list("", ListOptions::default()).collect().await;
    let error = listed.last().unwrap().as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("order"), "{error}");
}

#[tokio::test]
async fn errors_end_a_listing() {
    for store in [FaultyStore::new(), FaultyStore::streaming()] {
        for number in 0..2500 {
            store.plant(&format!("{number:04}"), "x").await;
        }
        let bucket = bucket_over(&store).await;
        store.judge(|op, _, count| if op == Op::List && count == 1 { Fate::Fail(busy()) } else { Fate::Go });
        let listed: Vec<_> = bucket.list("", ListOptions::default()).collect().await;
        if store.pages {
            assert_eq!(listed.len(), 1001);
            assert_eq!(listed[1000].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
        }
        for prefix in ["/", "a//", "../", "a\nb"] {
            let listed: Vec<_> = bucket.list(prefix, ListOptions::default()).collect().await;
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].as_ref().unwrap_err().kind(), ErrorKind::Invalid);
        }
        let gone = || object_store::Error::NotFound { path: String::new(), source: "gone".into() };
        store.judge(move |_, _, _| Fate::Fail(gone()));
        let error = bucket.list("", ListOptions::default()).next().await.unwrap().unwrap_err();
        assert!(matches!(error.fault(), crate::Fault::NoSuchBucket), "{error}");
        assert_eq!(error.target(), "memory://test");
    }
}
