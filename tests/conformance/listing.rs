//! Listing: ordered by the bytes of the names, each once, by any prefix.

use futures::{StreamExt, TryStreamExt};
use plastron_sources::{Bucket, ListOptions};

use crate::backend::{Backend, Place, names};

async fn put_all(bucket: &Bucket, wanted: &[String]) {
    futures::stream::iter(wanted)
        .map(|name| async move { bucket.put(name, "x").await.map(drop) })
        .buffer_unordered(16)
        .try_collect::<()>()
        .await
        .unwrap_or_else(|error| panic!("{error}"));
}

pub(crate) async fn names_come_in_bytewise_order(place: Place) {
    let bucket = place.open().await;
    let mut wanted: Vec<String> = [
        "b", "a.b", "a/b", "a0b", "a-b", "a b", "A", "ab/c", "a/b.c", "a/b0", "a/c/d", "a/c-d", "ä", "zz/z", "0", "a_",
    ]
    .map(String::from)
    .into();
    put_all(&bucket, &wanted).await;
    wanted.sort_unstable();
    assert_eq!(names(&bucket, "").await, wanted);
    for entry in bucket.list("", ListOptions::default()).try_collect::<Vec<_>>().await.unwrap() {
        let info = entry.clone().into_object().unwrap();
        assert_eq!(info.size, 1);
        assert_eq!(info.etag, bucket.head(entry.name()).await.unwrap().etag, "{}", entry.name());
    }
    // From any point on.
    for after in ["", "0", "a", "a/b", "a/c", "b", "zz", "zz/z", "~"] {
        let rest: Vec<_> = bucket.list("", ListOptions::default().start_after(after)).try_collect().await.unwrap();
        let rest: Vec<&str> = rest.iter().map(|entry| entry.name()).collect();
        let expected: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| *name > after).collect();
        assert_eq!(rest, expected, "after {after:?}");
    }
}

pub(crate) async fn prefixes_and_delimiters(place: Place) {
    let bucket = place.open().await;
    let mut wanted: Vec<String> =
        ["pfx_a", "pfx_b", "pfx", "pf/x", "db1/t/1", "db1/t/2", "db1/u", "db10/t", "db2", "db1.x"]
            .map(String::from)
            .into();
    put_all(&bucket, &wanted).await;
    wanted.sort_unstable();
    for prefix in [
        "",
        "p",
        "pf",
        "pfx",
        "pfx_",
        "pfx_a",
        "pfx_ab",
        "pf/",
        "db1",
        "db1/",
        "db1/t",
        "db1/t/",
        "db1/t/2",
        "db",
        "zzz",
        "db1/none/",
    ] {
        let expected: Vec<&String> = wanted.iter().filter(|name| name.starts_with(prefix)).collect();
        assert_eq!(names(&bucket, prefix).await.iter().collect::<Vec<_>>(), expected, "prefix {prefix:?}");
    }
    // One level at a time.
    let level = async |prefix: &str| {
        let entries: Vec<_> = bucket.list(prefix, ListOptions::default().delimiter()).try_collect().await.unwrap();
        entries.iter().map(|entry| (entry.name().to_owned(), entry.clone().into_object().is_some())).collect::<Vec<_>>()
    };
    let owned = |entries: &[(&str, bool)]| {
        entries.iter().map(|(name, object)| ((*name).to_owned(), *object)).collect::<Vec<_>>()
    };
    assert_eq!(
        level("").await,
        owned(&[
            ("db1.x", true),
            ("db1/", false),
            ("db10/", false),
            ("db2", true),
            ("pf/", false),
            ("pfx", true),
            ("pfx_a", true),
            ("pfx_b", true)
        ])
    );
    assert_eq!(level("db1/").await, owned(&[("db1/t/", false), ("db1/u", true)]));
    assert_eq!(level("db1").await, owned(&[("db1.x", true), ("db1/", false), ("db10/", false)]));
}

pub(crate) async fn more_names_than_a_page(place: Place) {
    let bucket = place.open().await;
    let count = if place.backend == Backend::LocalStack { 1_200 } else { 2_300 };
    let wanted: Vec<String> = (0..count).map(|number| format!("many/{number:06}")).collect();
    put_all(&bucket, &wanted).await;
    assert_eq!(names(&bucket, "").await, wanted);
    assert_eq!(names(&bucket, "many/0011").await, wanted[1100..1200]);
    // Reading the first ones does not list them all.
    let first: Vec<_> = bucket.list("", ListOptions::default()).take(3).try_collect().await.unwrap();
    assert_eq!(first.len(), 3);
}

pub(crate) async fn plastrons_own_names_are_hidden(place: Place) {
    let bucket = place.open().await;
    // A streamed large object has a side object for its checksums.
    let mut writer = bucket.writer("streamed").await.unwrap();
    for _ in 0..3 {
        writer.write(vec![7_u8; 5 << 20]).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(names(&bucket, "").await, ["streamed"]);
    assert_eq!(names(&bucket, "_").await, Vec::<String>::new());
    let all = names(&bucket.system(), "").await;
    assert!(all.iter().any(|name| name.starts_with("_plastron/sums/")), "{all:?}");
    bucket.delete("streamed").await.unwrap();
    assert_eq!(names(&bucket.system(), "_plastron/sums/").await, Vec::<String>::new(), "removed with its object");
}
