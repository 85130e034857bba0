//! The face towards `object_store`: what is offered, what is refused, and in which words.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::{
    Attribute, Attributes, CopyOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, UpdateVersion,
};

use super::staging::Staging;
use super::store::DirStore;
use super::testing::{PART, STAGINGS, attributes, eventually, files_in, path, put, store_in, tree_in};
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::source::Provider;
use crate::stats::Stats;

#[tokio::test]
async fn a_put_object_is_a_file_with_an_attribute() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let store = store_in(directory.path(), staging);
        let value = "1;id=00;size=5;".to_owned() + &"s".repeat(1700);
        let options = PutOptions { attributes: attributes(&value), ..PutMode::Create.into() };
        let payload = [bytes::Bytes::from("he"), "".into(), "l".into(), "lo".into()];
        let made = store.put_opts(&path("a/b"), payload.into_iter().collect(), options).await.unwrap();
        assert_eq!(files_in(directory.path()), ["a/b"]);
        assert_eq!(std::fs::read(directory.path().join("a/b")).unwrap(), b"hello");
        let mut stored = Vec::with_capacity(4096);
        rustix::fs::getxattr(
            directory.path().join("a/b"),
            "user.plastron",
            rustix::buffer::spare_capacity(&mut stored),
        )
        .unwrap();
        assert_eq!(stored, value.as_bytes());

        for head in [true, false] {
            let found = store.get_opts(&path("a/b"), GetOptions::new().with_head(head)).await.unwrap();
            assert_eq!(found.attributes.get(&Attribute::Metadata("plastron".into())).unwrap().as_ref(), value);
            assert_eq!((found.meta.size, found.range.clone()), (5, 0..5));
            assert_eq!(found.meta.e_tag, made.e_tag);
            let age = std::time::SystemTime::from(found.meta.last_modified).elapsed();
            // The machine's clock may be set meanwhile.
            assert!(age.unwrap_or_else(|ahead| ahead.duration()).as_secs() < 3600);
            assert_eq!(found.bytes().await.unwrap(), if head { "" } else { "hello" });
        }
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert_eq!(listed[0].e_tag, made.e_tag);
    }
}

#[tokio::test]
async fn an_attribute_of_any_size_the_file_system_takes_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    for size in [0, 1, 2047, 2048, 2049, 3500] {
        let (name, value) = (path(&size.to_string()), "v".repeat(size));
        let options = PutOptions { attributes: attributes(&value), ..PutMode::Create.into() };
        store.put_opts(&name, "x".into(), options).await.unwrap();
        let found = store.get(&name).await.unwrap().attributes;
        assert_eq!(found.get(&Attribute::Metadata("plastron".into())).unwrap().as_ref(), value);
    }
    put(store.as_ref(), "without", "x").await.unwrap();
    assert!(store.get(&path("without")).await.unwrap().attributes.is_empty());
    let binary = directory.path().join("without");
    rustix::fs::setxattr(binary, "user.plastron", b"\xff", rustix::fs::XattrFlags::empty()).unwrap();
    let error = store.head(&path("without")).await.unwrap_err();
    assert!(matches!(fault_of(&error), Fault::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn only_creation_is_offered() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    put(store.as_ref(), "a", "first").await.unwrap();
    let refused = |error: &object_store::Error| {
        assert!(matches!(error, object_store::Error::NotSupported { .. }), "{error}");
        assert!(matches!(fault_of(error), Fault::Unsupported(_)));
    };
    let update = PutMode::Update(UpdateVersion { e_tag: None, version: None });
    for mode in [PutMode::Overwrite, update] {
        refused(&store.put_opts(&path("a"), "x".into(), mode.into()).await.unwrap_err());
    }
    let other = Attributes::from_iter([(Attribute::ContentType, "text/plain")]);
    let options = PutOptions { attributes: other.clone(), ..PutMode::Create.into() };
    refused(&store.put_opts(&path("b"), "x".into(), options).await.unwrap_err());
    let options = PutMultipartOptions { attributes: other, ..Default::default() };
    refused(&store.put_multipart_opts(&path("b"), options).await.unwrap_err());
    refused(&store.copy_opts(&path("a"), &path("b"), CopyOptions::new()).await.unwrap_err());
    refused(&store.rename_if_not_exists(&path("a"), &path("b")).await.unwrap_err());
    let version = GetOptions { version: Some("1".to_owned()), ..GetOptions::new() };
    refused(&store.get_opts(&path("a"), version).await.unwrap_err());

    let error = put(store.as_ref(), "a", "second").await.unwrap_err();
    assert!(matches!(error, object_store::Error::AlreadyExists { .. }));
    assert!(matches!(fault_of(&error), Fault::ObjectExists));
    assert_eq!(std::fs::read(directory.path().join("a")).unwrap(), b"first");
    assert_eq!(files_in(directory.path()), ["a"]);
}

#[tokio::test]
async fn a_bucket_opened_for_reading_is_not_written_to() {
    let directory = tempfile::tempdir().unwrap();
    put(store_in(directory.path(), Staging::Unnamed).as_ref(), "a", "x").await.unwrap();
    let stats = Arc::new(Stats::new(Provider::Dir));
    let store = DirStore::new(tree_in(directory.path(), Staging::Unnamed), true, PART, stats);
    let refusals = [
        put(&store, "b", "x").await.map(|_| ()),
        store.put_multipart(&path("b")).await.map(|_| ()),
        store.delete(&path("a")).await,
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert!(
            matches!(fault_of(&error), Fault::Unsupported(_)) && error.to_string().contains("readonly=true"),
            "{error}"
        );
    }
    assert_eq!(store.get(&path("a")).await.unwrap().bytes().await.unwrap(), "x");
    assert_eq!(files_in(directory.path()), ["a"]);
}

#[tokio::test]
async fn ranges_are_exact() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    // Small enough to be read at once, large enough for several parts, and none at all.
    for size in [0u64, 1, 5000, PART - 1, PART, PART + 1, 3 * PART + 7] {
        let content: Vec<u8> = (0..size).map(|index| (index * 31 % 251) as u8).collect();
        let name = path(&format!("{size}"));
        put(store.as_ref(), name.as_ref(), content.clone()).await.unwrap();
        assert!(store.get(&name).await.unwrap().bytes().await.unwrap() == content);
        let middle = size / 2;
        let wanted = [
            GetRange::Bounded(0..size),
            GetRange::Bounded(middle..size + 10),
            GetRange::Bounded(middle..middle + 1),
            GetRange::Bounded(0..size.saturating_sub(1)),
            GetRange::Bounded(size..size + 1),
            GetRange::Bounded(3..3),
            GetRange::Offset(middle),
            GetRange::Offset(size),
            GetRange::Suffix(1),
            GetRange::Suffix(size + 1),
        ];
        for range in wanted {
            let found = store.get_opts(&name, GetOptions::new().with_range(Some(range.clone()))).await;
            match range.as_range(size) {
                Ok(expected) => {
                    let found = found.unwrap();
                    assert_eq!(found.range, expected);
                    assert_eq!(found.meta.size, size);
                    let bytes = found.bytes().await.unwrap();
                    assert!(bytes == content[expected.start as usize..expected.end as usize], "{range:?} of {size}");
                }
                Err(_) => {
                    assert!(matches!(fault_of(&found.unwrap_err()), Fault::Range { size: found, .. } if found == size))
                }
            }
        }
        if size > 5 {
            let ranges = [0..1, size - 3..size, 2..5, 0..size, 4..4 + size];
            let found = store.get_ranges(&name, &ranges).await.unwrap();
            for (range, bytes) in ranges.iter().zip(found) {
                assert!(bytes == content[range.start as usize..range.end.min(size) as usize], "{range:?} of {size}");
            }
            assert!(matches!(
                fault_of(&store.get_ranges(&name, &[0..1, size..size + 1]).await.unwrap_err()),
                Fault::Range { .. }
            ));
            assert!(store.get_ranges(&name, &[]).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn preconditions_hold_for_small_and_large_reads() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    let first = put(store.as_ref(), "a", vec![1; 100_000]).await.unwrap().e_tag.unwrap();
    store.delete(&path("a")).await.unwrap();
    // The same bytes at once again, perhaps with the same inode: another object.
    let second = put(store.as_ref(), "a", vec![1; 100_000]).await.unwrap().e_tag.unwrap();
    assert_ne!(first, second);
    for range in [None, Some(GetRange::Bounded(0..10)), Some(GetRange::Bounded(0..90_000))] {
        let options = GetOptions { range, ..GetOptions::new() };
        let found = store.get_opts(&path("a"), options.clone().with_if_match(Some(second.clone()))).await.unwrap();
        assert_eq!(found.meta.e_tag.as_ref(), Some(&second));
        let stale = store.get_opts(&path("a"), options.clone().with_if_match(Some(first.clone()))).await;
        assert!(matches!(stale.unwrap_err(), object_store::Error::Precondition { .. }));
        let same = store.get_opts(&path("a"), options.with_if_none_match(Some(second.clone()))).await;
        assert!(matches!(same.unwrap_err(), object_store::Error::NotModified { .. }));
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    put(store.as_ref(), "a/b", "x").await.unwrap();
    for name in ["x", "a", "a/c", "a/b/c", "x/y/z"] {
        for error in [
            store.get_opts(&path(name), Default::default()).await.map(|_| ()).unwrap_err(),
            store.get_ranges(&path(name), &[0..1, 0..1]).await.map(|_| ()).unwrap_err(),
            store.delete(&path(name)).await.unwrap_err(),
        ] {
            assert!(matches!(error, object_store::Error::NotFound { .. }), "{name}: {error}");
            assert!(matches!(fault_of(&error), Fault::NoSuchObject));
        }
    }
    // Removing many says of each how it went.
    let names = ["x", "a/b", "y"].map(|name| Ok(path(name)));
    let results: Vec<_> = store.delete_stream(futures::stream::iter(names).boxed()).collect().await;
    assert!(results[0].is_err() && results[1].is_ok() && results[2].is_err());
}

#[tokio::test]
async fn a_name_beside_one_below_it_is_refused_until_that_is_gone() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let store = store_in(directory.path(), staging);
        put(store.as_ref(), "a/b/c", "x").await.unwrap();
        for name in ["a", "a/b", "a/b/c/d", "a/b/c/d/e"] {
            let error = put(store.as_ref(), name, "x").await.unwrap_err();
            let fault = fault_of(&error);
            assert!(matches!(&fault, Fault::Name { reason } if reason.contains("`a` beside `a/b`")), "{fault}");
            assert!(fault.to_string().contains(&format!("`{name}`")), "{fault}");
        }
        store.delete(&path("a/b/c")).await.unwrap();
        // As a crash may have left them.
        std::fs::create_dir_all(directory.path().join("a/b/c/d")).unwrap();
        std::fs::create_dir_all(directory.path().join("a/x")).unwrap();
        put(store.as_ref(), "a", "y").await.unwrap();
        assert_eq!(files_in(directory.path()), ["a"]);
    }
}

#[tokio::test]
async fn parts_in_any_order_make_the_object() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let store = store_in(directory.path(), staging);
        let options = PutMultipartOptions { attributes: attributes("1;parts"), ..Default::default() };
        let mut upload = store.put_multipart_opts(&path("d/a"), options).await.unwrap();
        let parts: Vec<Vec<u8>> = (0..10u8).map(|index| vec![index; 50_000 + usize::from(index)]).collect();
        let mut writes: Vec<_> = parts.iter().map(|part| upload.put_part(part.clone().into())).collect();
        writes.reverse();
        futures::future::try_join_all(writes).await.unwrap();
        assert_eq!(store.list(None).count().await, 0);
        // Its directory may even be removed meanwhile.
        let _ = std::fs::remove_dir(directory.path().join("d"));
        let made = upload.complete().await.unwrap();
        let found = store.get(&path("d/a")).await.unwrap();
        assert_eq!(found.meta.e_tag, made.e_tag);
        assert_eq!(found.attributes, attributes("1;parts"));
        assert!(found.bytes().await.unwrap() == parts.concat());
        assert_eq!(files_in(directory.path()), ["d/a"]);
        // It is over.
        assert!(upload.complete().await.is_err());
        assert!(upload.put_part("x".into()).await.is_err());
        assert!(upload.abort().await.is_err());
    }
}

#[tokio::test]
async fn an_upload_that_is_not_completed_leaves_nothing() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let store = store_in(directory.path(), staging);
        let begin = async || {
            let mut upload = store.put_multipart(&path("a")).await.unwrap();
            upload.put_part(vec![1; 100_000].into()).await.unwrap();
            assert_eq!(!files_in(directory.path()).is_empty(), staging == Staging::Named);
            upload
        };
        begin().await.abort().await.unwrap();
        assert!(files_in(directory.path()).is_empty());
        drop(begin().await);
        eventually(|| files_in(directory.path()).is_empty()).await;
        // A part was begun, but its writer went away.
        let mut upload = begin().await;
        drop(upload.put_part("lost".into()));
        let error = upload.complete().await.unwrap_err();
        assert!(error.to_string().contains("1 of its 2 parts"), "{error}");
        eventually(|| files_in(directory.path()).is_empty()).await;
        // Somebody else was first.
        let mut upload = begin().await;
        put(store.as_ref(), "a", "first").await.unwrap();
        assert!(matches!(fault_of(&upload.complete().await.unwrap_err()), Fault::ObjectExists));
        eventually(|| files_in(directory.path()) == ["a"]).await;
        assert_eq!(std::fs::read(directory.path().join("a")).unwrap(), b"first");
    }
}

/// A put whose caller goes away either happens whole or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_puts_leave_no_half_state() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Named);
    for index in 0..50 {
        let (store, name) = (Arc::clone(&store), format!("{index}"));
        let task = tokio::spawn(async move { put(store.as_ref(), &name, vec![7; 10_000]).await });
        tokio::task::yield_now().await;
        task.abort();
        let _ = task.await;
    }
    eventually(|| files_in(directory.path()).iter().all(|file| !file.starts_with("_plastron"))).await;
    for meta in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        assert_eq!(meta.size, 10_000);
        assert_eq!(store.get(&meta.location).await.unwrap().bytes().await.unwrap(), vec![7; 10_000]);
    }
}

#[tokio::test]
async fn a_bucket_that_was_removed_is_no_missing_object() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    std::fs::create_dir(&bucket).unwrap();
    let store = store_in(&bucket, Staging::Unnamed);
    put(store.as_ref(), "a/b", "x").await.unwrap();
    std::fs::remove_dir_all(&bucket).unwrap();
    for error in [
        store.head(&path("a/b")).await.map(|_| ()).unwrap_err(),
        store.delete(&path("a/b")).await.unwrap_err(),
        put(store.as_ref(), "a/c", "x").await.map(|_| ()).unwrap_err(),
        put(store.as_ref(), "c", "x").await.map(|_| ()).unwrap_err(),
        store.list(None).try_collect::<Vec<_>>().await.map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(fault_of(&error), Fault::NoSuchBucket), "{error}");
    }
}

/// Without a runtime everything runs on the caller's thread.
#[test]
fn works_without_a_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    let all = async {
        put(store.as_ref(), "a", vec![1; 2_000_000]).await.unwrap();
        assert_eq!(store.get(&path("a")).await.unwrap().bytes().await.unwrap(), vec![1; 2_000_000]);
        assert_eq!(store.list(None).count().await, 1);
        store.delete(&path("a")).await.unwrap();
    };
    assert!(all.now_or_never().is_some(), "nothing is waited for");
}
