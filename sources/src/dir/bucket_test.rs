//! A [`Bucket`] on a directory, as users have it.

use futures::TryStreamExt;

use super::testing::files_in;
use crate::{Bucket, BucketOptions, ErrorKind, Event, ListOptions};

async fn bucket_in(directory: &std::path::Path) -> Bucket {
    let string = format!("source=dir_store,bucket=\"{}\",part_size=5MB", directory.display());
    Bucket::open(BucketOptions::parse(&string).unwrap()).await.unwrap()
}

async fn names(bucket: &Bucket, prefix: &str, options: ListOptions) -> Vec<String> {
    bucket.list(prefix, options).map_ok(|entry| entry.name().to_owned()).try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_on_a_directory_does_all_that_a_bucket_does() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = bucket_in(directory.path()).await;
    assert!(files_in(directory.path()).is_empty(), "opening and proving leaves no file");
    let large: Vec<u8> = (0..12_000_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bucket.put("small", "hello").await.unwrap();
    bucket.put("large/one", large.clone()).await.unwrap();
    let mut writer = bucket.writer("large/two").await.unwrap();
    for chunk in large.chunks(777_777) {
        writer.write(chunk.to_vec()).await.unwrap();
    }
    writer.finish().await.unwrap();
    for name in ["small", "large/one"] {
        assert_eq!(bucket.put(name, "other").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    let error = bucket.put("small/er", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`a` beside `a/b`"), "{error}");

    // Another process reads, with checksums.
    let other = bucket_in(directory.path()).await;
    for name in ["large/one", "large/two"] {
        assert!(std::fs::read(directory.path().join(name)).unwrap() == large);
        let object = other.open_object(name).await.unwrap();
        assert!(object.read_all().await.unwrap() == large);
        assert!(object.read(7_000_000..7_000_010).await.unwrap() == large[7_000_000..7_000_010]);
    }
    assert_eq!(names(&other, "", ListOptions::default()).await, ["large/one", "large/two", "small"]);
    assert_eq!(names(&other, "", ListOptions::default().delimiter()).await, ["large/", "small"]);
    assert_eq!(names(&other, "large/o", ListOptions::default()).await, ["large/one"]);

    // Opening by reading, at any place, finds the checksums.
    for range in [0..10, 5_500_000..5_500_010, 11_999_990..12_000_000] {
        let (object, bytes) = other.open_object_reading("large/one", range.clone()).await.unwrap();
        assert!(bytes == large[range.start as usize..range.end as usize]);
        assert_eq!(object.info().checksums, other.head("large/one").await.unwrap().checksums);
    }
    assert_eq!(other.stats().event(Event::UnverifiedRead), 0);

    // A listing tells the same etag as the object itself, in quotes as everywhere.
    let listed = other.list("small", ListOptions::default()).try_next().await.unwrap().unwrap().into_object().unwrap();
    assert_eq!(listed.etag, other.head("small").await.unwrap().etag);
    assert!(listed.etag.starts_with('"') && listed.etag.ends_with('"'));

    // A flipped bit on the disk is found.
    let mut flipped = large.clone();
    flipped[6_000_000] ^= 1;
    std::fs::write(directory.path().join("large/one"), flipped).unwrap();
    let object = bucket_in(directory.path()).await.open_object("large/one").await.unwrap();
    assert_eq!(object.read_all().await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(object.read(0..100).await.unwrap() == large[..100]);
    let error = other.open_object_reading("large/one", 6_000_000..6_000_001).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);

    for name in ["small", "large/one", "large/two"] {
        other.delete(name).await.unwrap();
        assert_eq!(other.open_object(name).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(other.delete(name).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    bucket.close().await;
    assert_eq!(names(&bucket, "", ListOptions::default()).await, [""; 0]);
}

/// A thousand directories are shown without looking at what is in them again and again.
#[tokio::test]
async fn a_level_costs_one_request_a_page() {
    let directory = tempfile::tempdir().unwrap();
    for index in 0..1500 {
        let inner = directory.path().join(format!("d{index:04}/inner"));
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("object"), "").unwrap();
    }
    let bucket = bucket_in(directory.path()).await;
    let before = bucket.stats().requests_of(crate::RequestKind::List);
    let found = names(&bucket, "d", ListOptions::default().delimiter()).await;
    assert_eq!((found.len(), found[1499].as_str()), (1500, "d1499/"));
    assert!(bucket.stats().requests_of(crate::RequestKind::List) - before <= 3);
}

#[tokio::test]
async fn a_missing_bucket_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = BucketOptions::new(crate::Provider::Dir, directory.path().join("no/where").to_str().unwrap());
    for readonly in [false, true] {
        options.readonly = readonly;
        let error = Bucket::open(options.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("no such bucket") && error.to_string().contains("no/where"), "{error}");
    }
}
