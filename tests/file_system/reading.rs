//! Reads are exact, cheap, and the same with every cache.

use std::ops::Range;

use plastron::{ErrorKind, RequestKind};
use proptest::prelude::*;

use crate::setting::{Setting, bytes, setting, settings};

/// Sizes around those of cache blocks, checksum blocks and parts.
const SIZES: [usize; 9] = [0, 1, 16_383, 16_384, 16_385, 262_143, 262_145, 1_000_000, (8 << 20) + 1];

#[tokio::test]
async fn an_open_file_never_asks_for_metadata_again() {
    for setting in settings(",write_through=false").await {
        setting.files.put("a", bytes(600_000)).await.unwrap();
        let before = setting.requests(RequestKind::Head);
        let file = setting.files.open_file("a").await.unwrap();
        assert_eq!(setting.requests(RequestKind::Head), before + 1, "{}", setting.name);
        for _ in 0..3 {
            assert_eq!((file.size(), file.name()), (600_000, "a"));
            file.read(0..600_000).await.unwrap();
            file.another().read(5..10).await.unwrap();
            file.as_index().read(599_990..600_000).await.unwrap();
        }
        assert_eq!(setting.requests(RequestKind::Head), before + 1, "{}", setting.name);
    }
}

#[tokio::test]
async fn ranges_outside_are_invalid_and_empty_ones_are_empty() {
    for setting in settings("").await {
        setting.files.put("a", bytes(1000)).await.unwrap();
        let file = setting.files.open_file("a").await.unwrap();
        let requests = setting.files.stats().bucket.requests_total();
        #[allow(clippy::reversed_empty_ranges, reason = "that is what is tried")]
        for range in [0..1001, 1000..1001, 1001..1001, 5..4, 0..u64::MAX, u64::MAX..u64::MAX, u64::MAX..0] {
            let error = file.read(range.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{range:?}: {error}");
            assert_eq!(file.read_ranges(&[0..1, range]).await.unwrap_err().kind(), ErrorKind::Invalid);
        }
        for (offset, length) in [(1000, 1), (999, 2), (u64::MAX, 1), (u64::MAX - 3, 10), (1001, 0)] {
            let mut buffer = vec![0; length];
            assert_eq!(file.try_read_at(offset, &mut buffer).unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(file.read_at(offset, &mut buffer).unwrap_err().kind(), ErrorKind::Invalid);
        }
        assert!(file.read(1000..1000).await.unwrap().is_empty());
        assert!(file.read_ranges(&[]).await.unwrap().is_empty());
        assert_eq!(file.read_ranges(&[0..0, 7..7]).await.unwrap(), [&[][..], &[][..]]);
        file.read_at(1000, &mut []).unwrap();
        assert!(file.try_read_at(0, &mut []).unwrap());
        assert_eq!(setting.files.stats().bucket.requests_total(), requests, "none of these is a request");
    }
}

#[tokio::test]
async fn what_was_written_is_read_back_without_a_request() {
    for cache in ["memory=16MB", "directory=DIR/cache,memory=0"] {
        for source in ["memory_store", "dir_store"] {
            let setting = setting(&format!("source={source},bucket=\"DIR/bucket\",cache=({cache})")).await;
            let content = bytes(700_001);
            let path = setting.directory.path().join("local");
            std::fs::write(&path, &content).unwrap();
            let files = &setting.files;
            files.put("put", content.clone()).await.unwrap();
            files.put_file("file", &path).await.unwrap();
            let mut writer = files.create("written").await.unwrap();
            for piece in content.chunks(100_001) {
                writer.write(piece.to_vec()).await.unwrap();
            }
            writer.close().await.unwrap();
            files.cache().unwrap().flush().await;
            let gets = setting.requests(RequestKind::Get);
            for name in ["put", "file", "written"] {
                let file = files.open_file(name).await.unwrap();
                assert!(file.read(0..700_001).await.unwrap() == content, "{name} {}", setting.name);
                let mut buffer = vec![0; 300_000];
                assert!(file.try_read_at(400_001, &mut buffer).unwrap(), "{name} {}", setting.name);
                assert!(buffer == content[400_001..]);
            }
            assert_eq!(setting.requests(RequestKind::Get), gets, "{}", setting.name);
        }
    }
}

#[tokio::test]
async fn without_write_through_only_reading_fills_the_cache() {
    let setting = setting("source=memory_store,bucket=b,cache=(memory=16MB,write_through=false)").await;
    setting.files.put("a", bytes(100_000)).await.unwrap();
    let file = setting.files.open_file("a").await.unwrap();
    let gets = setting.requests(RequestKind::Get);
    assert!(!file.try_read_at(0, &mut [0; 10]).unwrap());
    file.read(0..10).await.unwrap();
    assert!(file.try_read_at(90_000, &mut [0; 10]).unwrap(), "the whole block came along");
    assert_eq!(setting.requests(RequestKind::Get), gets + 1);
    assert_eq!(setting.files.stats().hit_ratio(), Some(0.5));
}

#[tokio::test]
async fn without_a_cache_every_read_is_a_request() {
    let setting = setting("source=memory_store,bucket=b,cache=(enabled=false)").await;
    setting.files.put("a", bytes(100_000)).await.unwrap();
    assert!(setting.files.cache().is_none() && setting.files.stats().hit_ratio().is_none());
    let file = setting.files.open_file("a").await.unwrap();
    let gets = setting.requests(RequestKind::Get);
    for _ in 0..3 {
        file.read(0..10).await.unwrap();
        assert!(!file.try_read_at(0, &mut [0; 10]).unwrap());
    }
    assert_eq!(setting.requests(RequestKind::Get), gets + 3);
}

#[tokio::test]
async fn listings_are_ordered_and_bounded_by_their_prefix() {
    for setting in settings("").await {
        for name in ["b", "a/2", "a/10", "a", "é", "a/1", "Z", "a-"] {
            // In a directory a file and a directory can't have one name.
            if name != "a" {
                setting.files.put(name, "x").await.unwrap();
            }
        }
        assert_eq!(setting.names().await, ["Z", "a-", "a/1", "a/10", "a/2", "b", "é"], "{}", setting.name);
        use futures::TryStreamExt;
        let some: Vec<_> = setting.files.list("a/1").map_ok(|entry| entry.name).try_collect().await.unwrap();
        assert_eq!(some, ["a/1", "a/10"]);
    }
}

/// Reads `ranges` in every way there is and compares with `content`.
async fn compare(setting: &Setting, content: &[u8], ranges: &[Range<u64>]) {
    let file = setting.files.open_file("a").await.unwrap();
    let part = |range: &Range<u64>| &content[range.start as usize..range.end as usize];
    for range in ranges {
        assert!(file.read(range.clone()).await.unwrap() == part(range), "{range:?} {}", setting.name);
        let mut buffer = vec![0xee; (range.end - range.start) as usize];
        file.read_at(range.start, &mut buffer).unwrap();
        assert!(buffer == part(range), "{range:?} {}", setting.name);
        if file.try_read_at(range.start, &mut buffer).unwrap() {
            assert!(buffer == part(range), "{range:?} {}", setting.name);
        }
    }
    let many = setting.files.open_file("a").await.unwrap().read_ranges(ranges).await.unwrap();
    assert_eq!(many.len(), ranges.len());
    for (read, range) in many.iter().zip(ranges) {
        assert!(read == part(range), "{range:?} {}", setting.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_read_gives_what_was_written(
        size in prop::sample::select(&SIZES[..]),
        write_through in any::<bool>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let content = bytes(size);
            let ranges: Vec<Range<u64>> = cuts
                .iter()
                .map(|(one, two)| (one.index(size + 1) as u64, two.index(size + 1) as u64))
                .map(|(one, two)| one.min(two)..one.max(two))
                .collect();
            for setting in settings(&format!(",write_through={write_through}")).await {
                setting.files.put("a", content.clone()).await.unwrap();
                compare(&setting, &content, &ranges).await;
            }
        });
    }
}
