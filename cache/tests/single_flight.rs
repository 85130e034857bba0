//! Requests are shared, joined and aligned; whoever goes away harms nobody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::single_range_in_vec_init,
    reason = "a test fails by panicking and may print"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use plastron_cache::{Fetch, Priority, Tier};
use plastron_sources::ErrorKind;
use support::{Origin, memory_cache, open};

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;

/// Lets everything that can run, run; works because the tests' clock is paused and only moves when nothing else does.
async fn settle() {
    #[allow(clippy::disallowed_methods, reason = "the clock is paused")]
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_readers_of_a_cold_block_make_one_request() {
    for round in 0..20 {
        let cache = memory_cache(|_| {});
        let origin = Origin::new(round, 10 * MB);
        let readers: Vec<_> = (0..1000u64)
            .map(|n| {
                let (object, fetch) = open(&cache, &origin);
                let origin = Arc::clone(&origin);
                tokio::spawn(async move {
                    let range = 3 * MB + n * 100..3 * MB + n * 100 + 200;
                    origin.check(range.clone(), &object.read(&fetch, range, Priority::Data).await.unwrap());
                })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
        assert_eq!(origin.asked(), [3 * MB..3 * MB + 256 * KB], "round {round}");
        let stats = cache.stats();
        assert_eq!((stats.fetches, stats.memory_hits + stats.misses), (1, 1000));
    }
}

#[tokio::test(start_paused = true)]
async fn missing_neighbours_are_one_request_of_8_mib_at_the_most() {
    let cache = memory_cache(|options| options.read_ahead = 0);
    let origin = Origin::new(1, 40 * MB - 12345);
    let (object, fetch) = open(&cache, &origin);
    let whole = 0..origin.size;
    let read = |range: std::ops::Range<u64>| {
        let (object, fetch, origin) = (Arc::clone(&object), Arc::clone(&fetch), Arc::clone(&origin));
        async move {
            origin.check(range.clone(), &object.read(&fetch, range, Priority::Data).await.unwrap());
            std::mem::take(&mut *origin.asked.lock().unwrap())
        }
    };
    assert_eq!(read(MB + 5..MB + 6).await, [MB..MB + 256 * KB]);
    assert_eq!(read(2 * MB..3 * MB).await, [2 * MB..3 * MB]);
    assert_eq!(read(2 * MB - 1..3 * MB + 1).await, [2 * MB - 256 * KB..2 * MB, 3 * MB..3 * MB + 256 * KB]);
    assert_eq!(read(MB..2 * MB).await, [MB + 256 * KB..2 * MB - 256 * KB]);
    let asked = read(whole.clone()).await;
    let lengths: Vec<u64> = asked.iter().map(|range| (range.end - range.start) / MB).collect();
    assert_eq!(lengths, [1, 4, 8, 8, 8, 7], "{asked:?}");
    assert!(asked.iter().all(|range| range.start % (256 * KB) == 0));
    assert_eq!(asked.last().unwrap().end, origin.size);
    assert_eq!(read(whole).await, []);
}

#[tokio::test(start_paused = true)]
async fn small_blocks_are_fetched_by_checksum_blocks_and_large_ones_whole() {
    for (block, expected) in
        [(4 * KB, 256 * KB), (64 * KB, 256 * KB), (256 * KB, 256 * KB), (MB, MB), (16 * MB, 16 * MB)]
    {
        let cache = memory_cache(|options| options.block_size = block);
        let origin = Origin::new(block, 50 * MB);
        let (object, fetch) = open(&cache, &origin);
        let at = 20 * MB + 300 * KB;
        origin.check(at..at + 10, &object.read(&fetch, at..at + 10, Priority::Data).await.unwrap());
        let start = at - at % expected;
        assert_eq!(origin.asked(), [start..start + expected], "blocks of {block}");
        let mut all = vec![0; expected as usize];
        assert_eq!(object.try_read(start, &mut all), Some(Tier::Memory), "the neighbours came along");
        origin.check(start..start + expected, &all);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_away_takes_nothing_with_it() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 10 * MB);
    let (object, fetch) = open(&cache, &origin);
    origin.close();
    let read = |range: std::ops::Range<u64>| {
        let (object, fetch) = (Arc::clone(&object), Arc::clone(&fetch));
        tokio::spawn(async move { object.read(&fetch, range, Priority::Data).await })
    };
    let leader = read(0..MB);
    settle().await;
    let followers: Vec<_> = (0..10).map(|n| read(n * 1000..n * 1000 + 10)).collect();
    settle().await;
    assert_eq!(origin.requests(), 1);
    leader.abort();
    settle().await;
    origin.open();
    for (n, follower) in (0..).zip(followers) {
        origin.check(n * 1000..n * 1000 + 10, &follower.await.unwrap().unwrap());
    }
    assert_eq!((origin.requests(), origin.cancelled.load(Ordering::SeqCst)), (1, 0));
    let mut rest = vec![0; MB as usize];
    assert_eq!(object.try_read(0, &mut rest), Some(Tier::Memory), "what the leader asked for is kept");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_waits_for_is_cancelled_and_can_be_made_again() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 10 * MB);
    let (object, fetch) = open(&cache, &origin);
    for round in 1..=20 {
        origin.close();
        let readers: Vec<_> = (0..5)
            .map(|_| {
                let (object, fetch) = (Arc::clone(&object), Arc::clone(&fetch));
                tokio::spawn(async move { object.read(&fetch, 0..10, Priority::Data).await })
            })
            .collect();
        settle().await;
        readers.iter().for_each(|reader| reader.abort());
        settle().await;
        assert_eq!((origin.requests(), origin.under_way.load(Ordering::SeqCst)), (round, 0));
        origin.open();
    }
    assert_eq!(origin.cancelled.load(Ordering::SeqCst), 20);
    origin.check(0..10, &object.read(&fetch, 0..10, Priority::Data).await.unwrap());
    assert_eq!(cache.stats().fetches, 21);
}

#[tokio::test(start_paused = true)]
async fn an_error_goes_to_all_who_wait_and_is_not_remembered() {
    let cache = memory_cache(|_| {});
    let origin = Origin::slow(1, 10 * MB, Duration::from_millis(5));
    let (object, fetch) = open(&cache, &origin);
    origin.failing.store(true, Ordering::SeqCst);
    let readers = (0..10).map(|_| object.read(&fetch, 0..10, Priority::Data));
    for read in futures::future::join_all(readers).await {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!((origin.requests(), cache.stats().fetch_errors), (1, 1));
    origin.failing.store(false, Ordering::SeqCst);
    origin.check(0..10, &object.read(&fetch, 0..10, Priority::Data).await.unwrap());

    origin.short.store(true, Ordering::SeqCst);
    let error = object.read(&fetch, MB..MB + 1, Priority::Data).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("expected 262144, found 262143"), "{error}");
    origin.short.store(false, Ordering::SeqCst);
    origin.check(MB..MB + 1, &object.read(&fetch, MB..MB + 1, Priority::Data).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_panics_gives_an_error_and_no_hang() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 10 * MB);
    let (object, fetch) = open(&cache, &origin);
    origin.panicking.store(true, Ordering::SeqCst);
    let readers = (0..5).map(|_| object.read(&fetch, 0..10, Priority::Data));
    for read in futures::future::join_all(readers).await {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    origin.panicking.store(false, Ordering::SeqCst);
    origin.check(0..10, &object.read(&fetch, 0..10, Priority::Data).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn requests_are_bounded_by_memory() {
    let cache = memory_cache(|options| options.memory = 64 << 20);
    let origin = Origin::slow(1, 1 << 30, Duration::from_millis(10));
    let (object, fetch) = open(&cache, &origin);
    let reads = (0..64).map(|n| object.read(&fetch, n * 16 * MB..n * 16 * MB + 4 * MB, Priority::Data));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap().len() as u64, 4 * MB);
    }
    assert_eq!(origin.most_under_way.load(Ordering::SeqCst), 2, "8 MiB of 64 are for requests");
}

#[tokio::test(start_paused = true)]
async fn ranges_and_empty_objects() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 1000);
    let (object, fetch) = open(&cache, &origin);
    let read = async |range| object.read(&fetch, range, Priority::Data).await;
    assert_eq!(read(0..0).await.unwrap(), [0u8; 0][..]);
    assert_eq!(read(1000..1000).await.unwrap(), [0u8; 0][..]);
    #[allow(clippy::reversed_empty_ranges, reason = "that is the point")]
    for wrong in [0..1001, 1001..1001, 5..3, u64::MAX - 1..u64::MAX] {
        let error = read(wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert_eq!(
        read(990..1001).await.unwrap_err().to_string(),
        "get object 1: range 990..1001 is outside the object, which has 1000 bytes"
    );
    assert_eq!(
        object.read_into(&fetch, u64::MAX, &mut [0; 2], Priority::Data).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(origin.requests(), 0);
    origin.check(0..1000, &read(0..1000).await.unwrap());
    assert_eq!(object.try_read(0, &mut [0; 1001]), None);
    assert_eq!(object.try_read(u64::MAX, &mut [0; 2]), None);
    assert_eq!(object.try_read(1000, &mut []), Some(Tier::Memory));
    let nothing = Origin::new(2, 0);
    let (object, fetch): (_, Arc<dyn Fetch>) = open(&cache, &nothing);
    assert!(object.read(&fetch, 0..0, Priority::Index).await.unwrap().is_empty());
    assert_eq!(object.try_get_block(0, Priority::Data), None);
}
