//! Opening directories of all kinds.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::list::PaginatedListOptions;

use super::open::open;
use super::staging::SUFFIX;
use super::testing::{eventually, files_in, path, put};
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::{RequestKind, Stats};

async fn open_as(bucket: &str, readonly: bool) -> Result<Source, Fault> {
    let mut options = BucketOptions::new(Provider::Dir, bucket);
    options.readonly = readonly;
    open(&options, Arc::new(Stats::new(Provider::Dir))).await
}

fn text(path: &FilePath) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn an_opened_directory_is_a_source() {
    let directory = tempfile::tempdir().unwrap();
    let source = open_as(text(directory.path()), false).await.unwrap();
    assert_eq!(source.provider, Provider::Dir);
    assert_eq!(source.address, format!("file://{}", directory.path().display()));
    assert_eq!(source.large_create, LargeCreate::Native);
    put(source.store.as_ref(), "a", "x").await.unwrap();
    let again = open_as(text(directory.path()), true).await.unwrap();
    assert_eq!(again.store.get(&path("a")).await.unwrap().bytes().await.unwrap(), "x");
}

#[tokio::test]
async fn a_missing_directory_is_created_for_writing_if_its_parent_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("new");
    assert!(matches!(open_as(text(&bucket), true).await.unwrap_err(), Fault::NoSuchBucket));
    assert!(!bucket.exists());
    assert!(matches!(open_as(text(&bucket.join("deeper")), false).await.unwrap_err(), Fault::NoSuchBucket));
    assert!(!bucket.exists());
    let source = open_as(text(&bucket), false).await.unwrap();
    put(source.store.as_ref(), "a", "x").await.unwrap();
    assert!(bucket.join("a").is_file());
    // A slash at the end changes nothing.
    let slashed = directory.path().join("slashed/");
    open_as(text(&slashed), false).await.unwrap();
    assert!(slashed.is_dir());
}

#[tokio::test]
async fn a_relative_path_is_taken_from_the_current_directory_at_open() {
    let directory = tempfile::tempdir().unwrap();
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    let relative = format!("{up}{}/bucket", text(directory.path()).trim_start_matches('/'));
    let source = open_as(&relative, false).await.unwrap();
    assert!(source.address.starts_with("file:///"), "{}", source.address);
    put(source.store.as_ref(), "a", "x").await.unwrap();
    assert!(directory.path().join("bucket/a").is_file());
}

#[tokio::test]
async fn a_bucket_may_be_reached_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    std::fs::create_dir(&bucket).unwrap();
    std::os::unix::fs::symlink("bucket", directory.path().join("link")).unwrap();
    let source = open_as(text(&directory.path().join("link")), false).await.unwrap();
    put(source.store.as_ref(), "a", "x").await.unwrap();
    assert!(bucket.join("a").is_file());
}

#[tokio::test]
async fn opening_for_reading_touches_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let source = open_as(text(directory.path()), true).await.unwrap();
    assert_eq!(source.store.list(None).try_collect::<Vec<_>>().await.unwrap(), []);
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn what_is_no_directory_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("below");
    for (bucket, reason) in [
        ("", "names no directory"),
        ("a\0b", "NUL"),
        (text(&file), "is not a directory"),
        (text(&below), "is not"),
        ("~/buckets/one", "~ is not expanded"),
    ] {
        for readonly in [false, true] {
            match open_as(bucket, readonly).await {
                Err(Fault::Config(message)) => assert!(message.contains(reason), "{bucket}: {message}"),
                Err(Fault::NoSuchBucket) if readonly => {}
                other => panic!("{bucket}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn stale_temporary_files_are_swept_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let temporary = directory.path().join("_plastron/tmp");
    std::fs::create_dir_all(temporary.join(format!("directory{SUFFIX}"))).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (name, is_old) in [("old.part", true), ("young.part", false), ("old", true), ("part", true)] {
        let file = std::fs::File::create(temporary.join(name)).unwrap();
        if is_old {
            file.set_modified(old).unwrap();
        }
    }
    let source = open_as(text(directory.path()), true).await.unwrap();
    drop(source);
    assert!(temporary.join("old.part").exists(), "a reader does not write");
    let source = open_as(text(directory.path()), false).await.unwrap();
    eventually(|| !temporary.join("old.part").exists()).await;
    assert_eq!(files_in(directory.path()), ["_plastron/tmp/old", "_plastron/tmp/part", "_plastron/tmp/young.part"]);
    // None of this is an object.
    assert_eq!(source.store.list(None).try_collect::<Vec<_>>().await.unwrap(), []);
    assert_eq!(source.store.list_with_delimiter(None).await.unwrap().common_prefixes, []);
    assert!(matches!(
        crate::fault_of::fault_of(&source.store.head(&path("_plastron/tmp/old")).await.unwrap_err()),
        Fault::Name { .. }
    ));
}

#[tokio::test]
async fn requests_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let stats = Arc::new(Stats::new(Provider::Dir));
    let source = open(&BucketOptions::new(Provider::Dir, text(directory.path())), Arc::clone(&stats)).await.unwrap();
    let store = source.store.as_ref();
    put(store, "a", vec![0; 100]).await.unwrap();
    put(store, "a", vec![0; 100]).await.unwrap_err();
    let mut upload = store.put_multipart(&path("b")).await.unwrap();
    upload.put_part(vec![0; 50].into()).await.unwrap();
    upload.complete().await.unwrap();
    store.put_multipart(&path("c")).await.unwrap().abort().await.unwrap();
    store.get_range(&path("a"), 0..10).await.unwrap();
    store.get_ranges(&path("a"), &[0..10, 20..25]).await.unwrap();
    store.head(&path("a")).await.unwrap();
    store.head(&path("x")).await.unwrap_err();
    store.delete(&path("a")).await.unwrap();
    drop(store.get(&path("b")));
    let pages = source.pages.as_ref().unwrap();
    pages.list_paginated(None, PaginatedListOptions::default()).await.unwrap();
    let snapshot = stats.snapshot();
    let counted: Vec<_> =
        snapshot.requests.iter().map(|request| (request.kind, snapshot.requests_of(request.kind))).collect();
    let expected = [
        (RequestKind::Put, 2),
        (RequestKind::PutPart, 1),
        (RequestKind::CreateMultipart, 2),
        (RequestKind::Complete, 1),
        (RequestKind::Abort, 1),
        (RequestKind::Get, 2),
        (RequestKind::Head, 2),
        (RequestKind::List, 1),
        (RequestKind::Delete, 1),
    ];
    assert_eq!(counted, expected);
    assert_eq!((snapshot.bytes_up(), snapshot.bytes_down()), (250, 25));
    assert_eq!(snapshot.cost_usd, 0.0);
}
