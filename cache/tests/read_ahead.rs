//! Read-ahead: who gets it, how much, and when it ends. Tokio's clock is paused, so latencies are exact and cost nothing.
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

use plastron_cache::{Priority, Tier};
use support::{Origin, memory_cache, open};

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;
const LATENCY: Duration = Duration::from_millis(30);

#[allow(clippy::disallowed_methods, reason = "the clock is paused")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "the clock is paused")]
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Reads all of a new object from front to back and checks it; returns how long that takes.
async fn read_through(size: u64, step: u64, read_ahead: u64, memory: u64) -> (Duration, Arc<Origin>) {
    let cache = memory_cache(|options| {
        options.read_ahead = read_ahead;
        options.memory = memory;
    });
    let origin = Origin::slow(size ^ step, size, LATENCY);
    let (object, fetch) = open(&cache, &origin);
    let mut buffer = vec![0; step as usize];
    let start = now();
    for at in (0..size).step_by(step as usize) {
        let part = &mut buffer[..step.min(size - at) as usize];
        if object.try_read(at, part).is_none() {
            object.read_into(&fetch, at, part, Priority::Data).await.unwrap();
        }
        origin.check(at..at + part.len() as u64, part);
    }
    (now() - start, origin)
}

#[tokio::test(start_paused = true)]
async fn a_cold_sequential_read_behind_30_ms_is_ten_times_faster() {
    for step in [28 * KB, 256 * KB, MB] {
        let (without, origin) = read_through(256 * MB, step, 0, 256 * MB).await;
        assert_eq!(origin.requests() as u64, 256 * MB / step.max(256 * KB));
        let (with, origin) = read_through(256 * MB, step, 32 * MB, 256 * MB).await;
        let factor = without.as_secs_f64() / with.as_secs_f64();
        println!("{step} bytes at a time: {without:?} without, {with:?} with read-ahead: {factor:.1} times");
        assert!(factor >= 10.0, "{factor} with {step} bytes at a time");
        let fetched: u64 = origin.asked().iter().map(|range| range.end - range.start).sum();
        assert_eq!(fetched, 256 * MB, "nothing is fetched twice");
        assert!(origin.requests() < 120, "{} requests", origin.requests());
    }
}

#[tokio::test(start_paused = true)]
async fn it_starts_with_the_second_read_and_1_mib() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 100 * MB);
    let (object, fetch) = open(&cache, &origin);
    let read = async |at| drop(object.read(&fetch, at..at + 28 * KB, Priority::Data).await.unwrap());
    read(0).await;
    pass(LATENCY).await;
    assert_eq!(origin.asked(), [0..256 * KB]);
    assert_eq!(object.try_read(28 * KB, &mut [0; 28 << 10]), Some(Tier::Memory));
    pass(LATENCY).await;
    let ahead: Vec<_> = (1..5).map(|n| n * 256 * KB..(n + 1) * 256 * KB).collect();
    assert_eq!(origin.asked()[1..], ahead);
    let stats = cache.stats();
    assert_eq!((stats.fetches, stats.ahead_fetches, stats.ahead_unused_bytes), (1, 4, 0));
    assert_eq!(object.try_read(256 * KB, &mut [0; 1000]), Some(Tier::Memory));
}

#[tokio::test(start_paused = true)]
async fn random_readers_get_none() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 1000 * MB);
    let (object, fetch) = open(&cache, &origin);
    for n in 0..500u64 {
        let at = n * 7919 % 1000 * MB;
        object.read(&fetch, at..at + 28 * KB, Priority::Data).await.unwrap();
    }
    assert_eq!((origin.requests(), cache.stats().ahead_fetches), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn a_seek_cancels_what_is_under_way_and_begins_anew() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 1000 * MB);
    let (object, fetch) = open(&cache, &origin);
    let read = async |at| drop(object.read(&fetch, at..at + 256 * KB, Priority::Data).await.unwrap());
    for n in 0..40 {
        read(n * 256 * KB).await;
    }
    pass(LATENCY).await;
    let unused_before = cache.stats().ahead_unused_bytes;
    origin.close();
    let mut next = 40;
    while origin.under_way.load(Ordering::SeqCst) == 0 {
        read(next * 256 * KB).await;
        next += 1;
        pass(Duration::from_millis(1)).await;
    }
    let under_way = origin.under_way.load(Ordering::SeqCst);
    let far = tokio::spawn({
        let (object, fetch) = (Arc::clone(&object), Arc::clone(&fetch));
        async move { object.read(&fetch, 900 * MB..900 * MB + 10, Priority::Data).await }
    });
    pass(LATENCY).await;
    assert_eq!(origin.cancelled.load(Ordering::SeqCst), under_way);
    origin.open();
    far.await.unwrap().unwrap();
    assert!(cache.stats().ahead_unused_bytes > unused_before, "what was ready is counted as fetched in vain");
    let requests = origin.requests();
    read(900 * MB + 10).await;
    pass(LATENCY).await;
    assert_eq!(origin.asked()[requests + 1].clone().count() as u64, 256 * KB, "it begins small again");
}

#[tokio::test(start_paused = true)]
async fn closing_the_handle_cancels_it() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 1000 * MB);
    let (object, fetch) = open(&cache, &origin);
    object.read(&fetch, 0..256 * KB, Priority::Data).await.unwrap();
    origin.close();
    let second = tokio::spawn({
        let (object, fetch) = (Arc::clone(&object), Arc::clone(&fetch));
        async move { object.read(&fetch, 256 * KB..512 * KB, Priority::Data).await }
    });
    pass(LATENCY).await;
    assert_eq!(origin.under_way.load(Ordering::SeqCst), 5);
    second.abort();
    let _ = second.await;
    drop(object);
    pass(LATENCY).await;
    assert_eq!((origin.under_way.load(Ordering::SeqCst), origin.cancelled.load(Ordering::SeqCst)), (0, 5));
}

#[tokio::test(start_paused = true)]
async fn all_windows_together_are_bounded_and_idle_ones_starve_nobody() {
    let cache = memory_cache(|options| options.memory = 64 << 20);
    let origins: Vec<_> = (0..20).map(|n| Origin::new(n, 100 * MB)).collect();
    let handles: Vec<_> = origins.iter().map(|origin| (open(&cache, origin), origin)).collect();
    for ((object, fetch), _) in &handles {
        for n in 0..16 {
            object.read(fetch, n * 256 * KB..(n + 1) * 256 * KB, Priority::Data).await.unwrap();
        }
    }
    pass(LATENCY).await;
    let held = |origin: &Origin| {
        let ahead = origin.asked().iter().map(|range| range.end).max().unwrap_or_default();
        ahead.saturating_sub(4 * MB)
    };
    let total: u64 = origins.iter().map(|origin| held(origin)).sum();
    assert!(total <= 16 * MB, "{total} bytes fetched ahead with 64 MiB of memory");
    assert!(total >= 12 * MB, "the budget is used: {total}");
    for ((object, fetch), origin) in &handles {
        for n in 16..64 {
            let range = n * 256 * KB..(n + 1) * 256 * KB;
            origin.check(range.clone(), &object.read(fetch, range, Priority::Data).await.unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_readers_window_serves_the_others() {
    let cache = memory_cache(|_| {});
    let origin = Origin::slow(1, 64 * MB, LATENCY);
    let readers: Vec<_> = (0..50)
        .map(|n| {
            let (object, fetch) = open(&cache, &origin);
            let origin = Arc::clone(&origin);
            tokio::spawn(async move {
                pass(Duration::from_millis(n % 7)).await;
                for at in (0..64 * MB).step_by(1 << 18) {
                    let range = at..at + 256 * KB;
                    origin.check(range.clone(), &object.read(&fetch, range, Priority::Data).await.unwrap());
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    let fetched: u64 = origin.asked().iter().map(|range| range.end - range.start).sum();
    assert_eq!(fetched, 64 * MB);
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_ahead_is_repeated_for_the_reader() {
    let cache = memory_cache(|_| {});
    let origin = Origin::slow(1, 64 * MB, LATENCY);
    let (object, fetch) = open(&cache, &origin);
    object.read(&fetch, 0..1000, Priority::Data).await.unwrap();
    origin.failing.store(true, Ordering::SeqCst);
    object.read(&fetch, 1000..2000, Priority::Data).await.unwrap();
    pass(2 * LATENCY).await;
    assert_eq!(cache.stats().fetch_errors, 4);
    assert!(object.read(&fetch, 2000..300_000, Priority::Data).await.is_err());
    origin.failing.store(false, Ordering::SeqCst);
    origin.check(2000..300_000, &object.read(&fetch, 2000..300_000, Priority::Data).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn dropping_everything_reaches_into_windows() {
    let cache = memory_cache(|_| {});
    let origin = Origin::new(1, 64 * MB);
    let (object, fetch) = open(&cache, &origin);
    for n in 0..8 {
        object.read(&fetch, n * 256 * KB..(n + 1) * 256 * KB, Priority::Data).await.unwrap();
    }
    pass(LATENCY).await;
    let mut buffer = [0; 100];
    assert!(object.try_read(2 * MB, &mut buffer).is_some());
    cache.drop_all().await;
    for at in (0..64 * MB).step_by(1 << 18) {
        assert_eq!(object.try_read(at, &mut buffer), None, "at {at}");
    }
}
