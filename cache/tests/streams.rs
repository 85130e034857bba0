//! Read-ahead for readers that do not simply go from front to back: through a B-tree, several on one handle, with others beside them.
//! Tokio's clock is paused, so latencies are exact and cost nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use plastron_cache::{Cache, CachedObject, Fetch, Priority};
use proptest::prelude::*;
use support::{Origin, memory_cache, open};

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;
const LATENCY: Duration = Duration::from_millis(30);

/// Bytes of a leaf, as WiredTiger has them by default for large values, and of an inner page.
const LEAF: u64 = 28 * KB;
const INNER: u64 = 4 * KB;

/// Leaves below one inner page.
const CHILDREN: u64 = 200;

#[allow(clippy::disallowed_methods, reason = "the clock is paused")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "the clock is paused")]
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// One handle.
struct Reader {
    origin: Arc<Origin>,
    object: Arc<CachedObject>,
    fetch: Arc<dyn Fetch>,
}

impl Reader {
    fn new(cache: &Cache, origin: Arc<Origin>) -> Self {
        let (object, fetch) = open(cache, &origin);
        Self { origin, object, fetch }
    }

    /// Reads as WiredTiger does: what is in the cache on this thread, else by the runtime.
    async fn read(&self, at: u64, len: u64) {
        let mut buffer = vec![0; len as usize];
        if self.object.try_read(at, &mut buffer).is_none() {
            self.object.read_into(&self.fetch, at, &mut buffer, Priority::Data).await.unwrap();
        }
        self.origin.check(at..at + len, &buffer);
    }

    fn fetched(&self) -> u64 {
        self.origin.asked().iter().map(|range| range.end - range.start).sum()
    }

    /// How far it has been asked for, from the front.
    fn reached(&self) -> u64 {
        self.origin.asked().iter().map(|range| range.end).max().unwrap_or_default()
    }
}

/// Round trips that a reader waited for one after the other since `start`.
fn round_trips(start: tokio::time::Instant) -> u128 {
    (now() - start).as_millis() / LATENCY.as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_scan_of_a_b_tree_goes_on_after_each_inner_page() {
    // What bulk loading makes: all leaves, then all inner pages.
    let leaves = 128 * MB / LEAF;
    let (first_inner, inner) = (leaves * LEAF, leaves.div_ceil(CHILDREN));
    let cache = memory_cache(|_| {});
    let reader = Reader::new(&cache, Origin::slow(1, first_inner + inner * INNER, LATENCY));
    let start = now();
    for leaf in 0..leaves {
        if leaf % CHILDREN == 0 {
            reader.read(first_inner + leaf / CHILDREN * INNER, INNER).await;
        }
        reader.read(leaf * LEAF, LEAF).await;
    }
    // An inner page, a leaf, the window's first three steps, then 28 MiB at a time, since this reader takes no time at all.
    assert!(round_trips(start) <= 10, "{} round trips", round_trips(start));
    assert_eq!((reader.fetched(), reader.origin.cancelled.load(Ordering::SeqCst)), (reader.origin.size, 0));
}

#[tokio::test(start_paused = true)]
async fn a_window_has_grown_to_its_full_size_after_three_round_trips_wherever_reads_begin_and_end() {
    for leaf in [LEAF, 32 * KB] {
        let reader = Reader::new(&memory_cache(|_| {}), Origin::slow(1, 256 * MB, LATENCY));
        let start = now();
        let mut at = 0;
        while at < 16 * MB + leaf {
            reader.read(at, leaf).await;
            at += leaf;
        }
        assert_eq!((leaf, round_trips(start)), (leaf, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_reader_skips_to_look_ahead_is_there_when_it_comes_back() {
    // What a checkpoint of a growing tree makes: inner pages behind their leaves, so that each is read before what lies in front of it.
    let family = CHILDREN * LEAF + INNER;
    let families = 20;
    let cache = memory_cache(|_| {});
    let reader = Reader::new(&cache, Origin::slow(1, families * family, LATENCY));
    let start = now();
    for first in (0..families).map(|number| number * family) {
        reader.read(first + CHILDREN * LEAF, INNER).await;
        for leaf in 0..CHILDREN {
            reader.read(first + leaf * LEAF, LEAF).await;
        }
    }
    assert!(round_trips(start) <= 8, "{} round trips", round_trips(start));
    assert_eq!((reader.fetched(), reader.origin.cancelled.load(Ordering::SeqCst)), (reader.origin.size, 0));
}

#[tokio::test(start_paused = true)]
async fn inner_pages_that_have_to_be_fetched_cost_two_round_trips_each_and_no_new_beginning() {
    let (leaves, size) = (128 * MB / LEAF, 512 * MB);
    let cache = memory_cache(|_| {});
    let reader = Reader::new(&cache, Origin::slow(1, size, LATENCY));
    let (start, mut inner) = (now(), 0);
    for leaf in 0..leaves {
        if leaf % (4 * CHILDREN) == 0 {
            // Each in a block of its own.
            inner += 1;
            reader.read(size - inner * MB, INNER).await;
        }
        reader.read(leaf * LEAF, LEAF).await;
    }
    assert_eq!(inner, 6);
    // The first of them closes the window, and it opens again as large as what was read; the others leave it alone.
    let most = 6 + 2 + u128::from(inner);
    assert!(round_trips(start) <= most, "{} round trips", round_trips(start));
    let wasted = reader.fetched() - (128 * MB).next_multiple_of(256 * KB) - inner * 256 * KB;
    assert!(wasted <= 64 * MB, "{wasted} bytes were fetched in vain");
}

#[tokio::test(start_paused = true)]
async fn readers_that_take_turns_on_one_handle_have_a_window_each() {
    // Enough for four windows.
    let cache = memory_cache(|options| options.memory = 512 << 20);
    let reader = Reader::new(&cache, Origin::slow(1, 400 * MB, LATENCY));
    let start = now();
    for step in 0..50 * MB / LEAF {
        for first in [0, 100 * MB, 200 * MB, 300 * MB] {
            reader.read(first + step * LEAF, LEAF).await;
        }
    }
    assert!(round_trips(start) <= 40, "{} round trips", round_trips(start));
}

#[tokio::test(start_paused = true)]
async fn a_scan_beside_random_readers_on_its_handle_keeps_its_window() {
    let cache = memory_cache(|_| {});
    let reader = Arc::new(Reader::new(&cache, Origin::slow(1, 1000 * MB, LATENCY)));
    let random: Vec<_> = (0..8u64)
        .map(|seed| {
            let reader = Arc::clone(&reader);
            tokio::spawn(async move {
                for n in 0.. {
                    reader.read(500 * MB + (seed * 104_729 + n * 7919) % 499 * MB, LEAF).await;
                    pass(Duration::from_micros(10)).await;
                }
            })
        })
        .collect();
    let start = now();
    for leaf in 0..128 * MB / LEAF {
        reader.read(leaf * LEAF, LEAF).await;
    }
    let waited = round_trips(start);
    random.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(waited <= 40, "{waited} round trips");
}

#[tokio::test(start_paused = true)]
async fn a_window_whose_reader_is_gone_is_closed_by_other_reads() {
    for fetched in [true, false] {
        let cache = memory_cache(|_| {});
        let reader = Reader::new(&cache, Origin::new(1, 1000 * MB));
        let (other, mut elsewhere) = (Reader::new(&cache, Origin::new(2, 1000 * MB)), 0);
        let mut read_elsewhere = async || {
            elsewhere += 1;
            reader.read(900 * MB - elsewhere * if fetched { MB } else { 0 }, INNER).await;
        };
        read_elsewhere().await;
        // It has come back once, so that a single read elsewhere does not end it.
        for leaf in 0..600 {
            if leaf == 300 {
                read_elsewhere().await;
            }
            reader.read(leaf * LEAF, LEAF).await;
        }
        pass(LATENCY).await;
        let (reached, unused) = (
            reader.origin.asked().iter().map(|range| range.end).filter(|end| *end < 500 * MB).max(),
            cache.stats().ahead_unused_bytes,
        );
        assert!(reached.unwrap() > 600 * LEAF + 16 * MB);
        for _ in 0..if fetched { 70 } else { 5000 } {
            read_elsewhere().await;
        }
        assert!(cache.stats().ahead_unused_bytes > unused + 8 * MB, "it still holds what it fetched");
        // What it held is free for others.
        for leaf in 0..2 * 600 {
            other.read(leaf * LEAF, LEAF).await;
        }
        pass(LATENCY).await;
        assert!(other.reached() > 2 * 600 * LEAF + 16 * MB);
    }
}

/// What readers of one handle do.
#[derive(Debug, Clone)]
enum Step {
    /// A reader goes on: which, and by how much.
    On(usize, u64),
    /// A reader skips something.
    Skip(usize, u64),
    /// Somebody reads anywhere.
    Anywhere(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let on = (0usize..5, 1..600 * KB).prop_map(|(reader, len)| Step::On(reader, len));
    let skip = (0usize..5, 1..3 * MB).prop_map(|(reader, len)| Step::Skip(reader, len));
    let anywhere = (0..99 * MB).prop_map(Step::Anywhere);
    proptest::collection::vec(prop_oneof![8 => on, 1 => skip, 1 => anywhere], 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_reads_what_and_when_the_bytes_are_right_and_memory_is_bounded(steps in steps(), memory in 1u64..5) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (memory, budget) = (memory * 16 * MB, (memory * 4 * MB).max(8 * MB));
            let cache = memory_cache(|options| options.memory = memory);
            let reader = Reader::new(&cache, Origin::new(1, 100 * MB));
            let mut places = [0, 20 * MB, 40 * MB, 60 * MB, 80 * MB];
            for step in steps {
                let before = cache.stats();
                match step {
                    Step::On(place, len) => {
                        let at = places[place].min(99 * MB);
                        reader.read(at, len).await;
                        places[place] = at + len;
                    }
                    Step::Skip(place, len) => places[place] += len,
                    Step::Anywhere(at) => reader.read(at, LEAF).await,
                }
                pass(Duration::from_millis(1)).await;
                let stats = cache.stats();
                let ahead = (stats.fetched_bytes - before.fetched_bytes).saturating_sub(MB);
                assert!(ahead <= budget + 8 * MB, "{ahead} bytes fetched at one step");
            }
        });
    }
}
