//! Reading: exact, verified, and of one and the same object.

use plastron_sources::{Bucket, ErrorKind};

use crate::backend::{Backend, Place, body};

pub(crate) async fn ranges_are_exact(place: Place) {
    let bucket = place.open().await;
    let data = body((11 << 20) + 123, 7);
    bucket.put("object", data.clone()).await.unwrap();
    let object = bucket.open_object("object").await.unwrap();
    let (block, part, end) = (256 << 10, 5 << 20, data.len());
    for (from, to) in [
        (0, 0),
        (0, 1),
        (1, 1),
        (0, block),
        (block - 1, block + 1),
        (block, 2 * block),
        (3, 2 * block + 5),
        (part - 1, part + 1),
        (part - 1, 2 * part + 1),
        (end - 1, end),
        (end, end),
        (0, end),
        (1, end - 1),
    ] {
        let read = object.read(from as u64..to as u64).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(read[..] == data[from..to], "{from}..{to} differs");
    }
}

pub(crate) async fn opening_by_reading_a_part_is_verified_too(place: Place) {
    let bucket = place.open().await;
    let data = body((3 << 20) + 5, 9);
    let put = bucket.put("object", data.clone()).await.unwrap();
    let end = data.len() as u64;
    for range in [0..1, 0..end, (1 << 20) + 7..(1 << 20) + 9, end - 1..end, 300_000..2_900_000] {
        let (object, bytes) = bucket.open_object_reading("object", range.clone()).await.unwrap();
        assert!(bytes == data[range.start as usize..range.end as usize], "{range:?} differs");
        assert_eq!((object.size(), object.info().checksums), (end, put.checksums), "{range:?}");
    }
    assert_eq!(bucket.stats().event(plastron_sources::Event::UnverifiedRead), 0);
    for (name, range, kind) in [("object", end..end + 1, ErrorKind::Invalid), ("absent", 0..1, ErrorKind::NotFound)] {
        let error = bucket.open_object_reading(name, range).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

pub(crate) async fn many_ranges_at_once(place: Place) {
    let bucket = place.open().await;
    let data = body(3 << 20, 8);
    bucket.put("object", data.clone()).await.unwrap();
    let object = bucket.open_object("object").await.unwrap();
    // What is tried again, on a machine that is held up, is not counted.
    let asked = || bucket.stats().requests_total() - bucket.stats().retries();
    let before = asked();
    // Neighbours, overlaps, one far away, an empty one, out of order.
    let ranges = [0..10, 10..20, 15..400_000, 2_900_000..2_900_001, 5..5, 300_000..300_100, 0..10];
    let read = object.read_many(&ranges).await.unwrap();
    assert_eq!(read.len(), ranges.len());
    for (range, bytes) in ranges.iter().zip(&read) {
        assert!(bytes[..] == data[range.start as usize..range.end as usize], "{range:?} differs");
    }
    let requests = asked() - before;
    assert!(requests <= 3, "neighbouring ranges were not joined: {requests} requests");
    assert!(object.read_many(&[]).await.unwrap().is_empty());
}

pub(crate) async fn ranges_outside_are_refused(place: Place) {
    let bucket = place.open().await;
    bucket.put("object", body(1000, 9)).await.unwrap();
    let object = bucket.open_object("object").await.unwrap();
    #[allow(clippy::reversed_empty_ranges, reason = "a reversed range is one of the bad ones")]
    for range in [0..1001, 1000..1001, 1001..1001, 5000..6000, u64::MAX..u64::MAX, 0..u64::MAX, 500..400] {
        let error = object.read(range.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{range:?}: {error}");
        assert!(error.to_string().contains("1000"), "{range:?}: {error}");
        assert_eq!(object.read_many(&[0..1, range]).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

/// Writes `data` as some other program would, over whatever is there.
async fn write_by_hand(place: &Place, name: &str, data: &[u8]) {
    match (&place.endpoint, place.backend) {
        (Some(endpoint), _) => {
            crate::bare::overwrite(endpoint, &place.bucket_name, &format!("{}{name}", place.prefix), data).await
        }
        (None, Backend::Dir) => {
            let path = std::path::Path::new(&place.bucket_name).join(name);
            std::fs::remove_file(&path).ok();
            std::fs::write(path, data).unwrap();
        }
        (None, _) => panic!("nobody else writes to this process's memory"),
    }
}

pub(crate) async fn a_foreign_object_is_read_unverified_or_refused(place: Place) {
    if place.backend == Backend::Memory {
        return;
    }
    let bucket = place.open().await;
    let data = body(600_000, 10);
    write_by_hand(&place, "foreign", &data).await;
    let object = bucket.open_object("foreign").await.unwrap();
    assert_eq!(object.size(), 600_000);
    assert!(object.read(1..599_999).await.unwrap()[..] == data[1..599_999]);
    let strict = place.open_with("checksums=required").await;
    let error = strict.open_object("foreign").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("checksums"), "{error}");
}

pub(crate) async fn a_changed_object_is_noticed(place: Place) {
    if place.backend == Backend::Memory {
        return;
    }
    let bucket: Bucket = place.open().await;
    bucket.put("object", body(600_000, 11)).await.unwrap();
    let object = bucket.open_object("object").await.unwrap();
    object.read(0..10).await.unwrap();
    write_by_hand(&place, "object", &body(600_000, 12)).await;
    let error = object.read(300_000..300_010).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Corrupt), "{error}");
}
