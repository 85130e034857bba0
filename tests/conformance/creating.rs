//! Creating: whole or not at all, and never over another.

use plastron_sources::{Bucket, Checksums, ErrorKind};

use crate::backend::{Place, body, names, read_whole};

pub(crate) async fn a_created_object_is_there_and_whole(place: Place) {
    let bucket = place.open().await;
    let data = body(70_000, 1);
    assert!(!bucket.exists("dir/object").await.unwrap());
    let created = bucket.put("dir/object", data.clone()).await.unwrap();
    assert_eq!((created.name.as_str(), created.size), ("dir/object", 70_000));
    assert!(bucket.exists("dir/object").await.unwrap());
    let found = bucket.head("dir/object").await.unwrap();
    assert_eq!((found.size, &found.etag), (70_000, &created.etag));
    assert!(matches!(found.checksums, Checksums::Blocks { crc32c: Some(crc), .. } if crc == crc32c::crc32c(&data)));
    let age = found.created.elapsed().unwrap_or_else(|future| future.duration());
    assert!(age.as_secs() < 600, "created {:?} says the store", found.created);
    assert_eq!(read_whole(&bucket, "dir/object").await, data);
    // Another process, or another open of the same bucket, sees the same.
    if place.endpoint.is_some() {
        assert_eq!(read_whole(&place.open_with("readonly=true").await, "dir/object").await, data);
    }
}

pub(crate) async fn a_create_never_replaces(place: Place) {
    let bucket = place.open().await;
    bucket.put("name", "first").await.unwrap();
    let again = bucket.put("name", "second").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
    assert!(again.to_string().contains("name"), "{again}");
    // The same bytes are another creation all the same; and neither a large object nor a stream slips in behind.
    assert_eq!(bucket.put("name", "first").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(bucket.put("name", body(12 << 20, 2)).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let mut writer = bucket.writer("name").await.unwrap();
    // A stream may be told before it has sent everything.
    let streamed = match writer.write(body(6 << 20, 3)).await {
        Ok(()) => writer.finish().await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(streamed.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(read_whole(&bucket, "name").await, b"first");
}

async fn race(bucket: &Bucket, name: &str, creators: usize, size: usize) {
    let results = futures::future::join_all((0..creators).map(|creator| {
        let (bucket, name) = (bucket.clone(), name.to_owned());
        tokio::spawn(async move { bucket.put(&name, body(size, creator as u64)).await })
    }))
    .await;
    let mut winners = Vec::new();
    for (creator, result) in results.into_iter().enumerate() {
        match result.unwrap() {
            Ok(_) => winners.push(creator),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{name}: creators {winners:?} all think that they won");
    assert_eq!(read_whole(bucket, name).await, body(size, winners[0] as u64), "{name}: not the winner's bytes");
}

pub(crate) async fn exactly_one_of_24_creators_wins(place: Place) {
    let bucket = place.open_with("retry=(deadline=15min)").await;
    for round in 0..if place.backend.is_slow_in_races() { 2 } else { 8 } {
        race(&bucket, &format!("race/{round}"), 24, 3_000).await;
    }
}

pub(crate) async fn exactly_one_of_24_creators_of_a_large_object_wins(place: Place) {
    let bucket = place.open_with("retry=(deadline=15min)").await;
    for round in 0..if place.backend.is_slow_in_races() { 1 } else { 4 } {
        race(&bucket, &format!("race/large {round}"), 24, (5 << 20) + 1).await;
    }
    bucket.close().await;
    let left = names(&bucket.system(), "_plastron/claims/").await;
    assert!(left.is_empty(), "claims are left: {left:?}");
}

pub(crate) async fn a_dropped_upload_leaves_nothing(place: Place) {
    let bucket = place.open().await;
    for wait in [0, 1, 5, 20, 80] {
        let upload = bucket.put("dropped", body(17 << 20, 4));
        // Time runs out somewhere in the middle, or not at all; either way there is no third state.
        let done = tokio::time::timeout(std::time::Duration::from_millis(wait), upload).await;
        bucket.close().await;
        match done {
            Ok(result) => {
                result.unwrap();
                bucket.delete("dropped").await.unwrap();
            }
            // The completing request may have been under way: then the object is there, and whole.
            Err(_) if bucket.exists("dropped").await.unwrap() => {
                assert_eq!(read_whole(&bucket, "dropped").await, body(17 << 20, 4));
                bucket.delete("dropped").await.unwrap();
            }
            Err(_) => {}
        }
    }
    assert_eq!(names(&bucket, "").await, Vec::<String>::new());
    let left = names(&bucket.system(), "").await;
    assert!(left.iter().all(|name| !name.contains("sums/")), "side objects are left: {left:?}");
    bucket.put("dropped", "small").await.unwrap();
}

pub(crate) async fn an_aborted_writer_leaves_nothing(place: Place) {
    let bucket = place.open().await;
    for pieces in [0, 1, 3] {
        let mut writer = bucket.writer("aborted").await.unwrap();
        for piece in 0..pieces {
            writer.write(body(4 << 20, piece)).await.unwrap();
        }
        assert!(!bucket.exists("aborted").await.unwrap(), "it is visible before it is finished");
        writer.abort().await;
        let mut dropped = bucket.writer("aborted").await.unwrap();
        dropped.write(body(6 << 20, 9)).await.unwrap();
        drop(dropped);
        bucket.close().await;
        assert!(!bucket.exists("aborted").await.unwrap());
    }
    assert_eq!(names(&bucket, "").await, Vec::<String>::new());
}

pub(crate) async fn a_file_is_stored_without_loading_it(place: Place) {
    let bucket = place.open().await;
    let directory = tempfile::tempdir().unwrap();
    for size in [0, 1, 5 << 20, (11 << 20) + 7] {
        let path = directory.path().join("file");
        std::fs::write(&path, body(size, 5)).unwrap();
        let info = bucket.put_file(&format!("file-{size}"), &path).await.unwrap();
        assert_eq!(info.size, size as u64);
        assert_eq!(read_whole(&bucket, &format!("file-{size}")).await, body(size, 5));
    }
    let missing = bucket.put_file("file", directory.path().join("missing")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("missing"), "{missing}");
}

pub(crate) async fn a_read_only_bucket_is_left_alone(place: Place) {
    place.open().await.put("there", "x").await.unwrap();
    let bucket = place.open_with("readonly=true").await;
    for error in [
        bucket.put("name", "x").await.unwrap_err(),
        bucket.put_file("name", "/etc/hostname").await.unwrap_err(),
        bucket.writer("name").await.err().unwrap(),
        bucket.delete("there").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("readonly"), "{error}");
    }
    let stats = bucket.stats();
    assert_eq!(stats.bytes_up(), 0, "a read-only bucket sent bytes: {stats:?}");
}
