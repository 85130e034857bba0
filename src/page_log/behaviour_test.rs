//! The contract, one promise at a time: bad input, edges, waiting, and what things cost.

use std::time::Duration;

use bytes::Bytes;
use plastron_config::ErrorKind;
use plastron_keys::KeyManagement;
use plastron_sources::clock::{Clock, SystemClock};
use plastron_sources::{BucketOptions, RequestKind};

use super::testing::{DATABASE, MemoryObjects, fixed_keys, small_options};
use super::*;

async fn a_log() -> PageLog {
    MemoryObjects::new().new_log(small_options()).await
}

#[tokio::test]
async fn chains_have_33_records_at_the_most() {
    let log = a_log().await;
    let table = log.table(5);
    let base = table.put(1, PutArgs::full(), "full").await.unwrap();
    let mut last = base;
    for number in 1..MAX_CHAIN {
        last = table.put(1, PutArgs::delta(base, last), format!("delta {number}")).await.unwrap();
    }
    let chain = table.get(1, last).await.unwrap();
    assert_eq!((chain.records.len(), chain.delta_count(), chain.base), (33, 32, base));
    assert_eq!((&chain.records[0].bytes[..], &chain.records[32].bytes[..]), (&b"full"[..], &b"delta 32"[..]));
    assert!(matches!(
        table.put(1, PutArgs::delta(base, last), "one more").await,
        Err(PageLogFault::ChainTooLong { table: 5, page: 1, .. })
    ));
    // Once nobody knows in memory how long it was, the 34th is accepted, and found out when it is read.
    log.flush_now(log.last_lsn()).await.unwrap();
    let last = table.put(1, PutArgs::delta(base, last), "one more").await.unwrap();
    let fault = table.get(1, last).await.unwrap_err();
    assert!(matches!(fault, PageLogFault::ChainTooLong { .. }) && fault.kind() == ErrorKind::Invalid, "{fault}");
}

#[tokio::test]
async fn puts_that_contradict_themselves_or_the_log_are_refused_and_take_no_lsn() {
    let log = a_log().await;
    let table = log.table(1);
    let full = table.put(1, PutArgs::full(), "a").await.unwrap();
    let delta = table.put(1, PutArgs::delta(full, full), "b").await.unwrap();
    let gone = table.discard(2, Lsn::NONE).await.unwrap();
    let future = Lsn::new(delta.get() + 1000);
    for (page, args) in [
        (1, PutArgs::delta(Lsn::NONE, full)),
        (1, PutArgs::delta(full, Lsn::NONE)),
        (1, PutArgs::delta(delta, full)),
        (1, PutArgs::delta(delta, delta)),
        (1, PutArgs::delta(full, gone)),
        (2, PutArgs::delta(gone, gone)),
        (3, PutArgs::delta(full, full)),
        (1, PutArgs::delta(full, future)),
        (1, PutArgs::full().backlink(future)),
        (1, PutArgs::full().backlink(Lsn::MAX)),
    ] {
        let before = log.last_lsn();
        let fault = table.put(page, args, "x").await.unwrap_err();
        assert!(
            matches!(fault, PageLogFault::BadPut { .. }) && fault.kind() == ErrorKind::Invalid,
            "{args:?}: {fault}"
        );
        assert_eq!(log.last_lsn(), before);
    }
    let huge = Bytes::from(vec![0; MAX_PAGE_BYTES + 1]);
    assert_eq!(table.put(1, PutArgs::full(), huge).await.unwrap_err().kind(), ErrorKind::Invalid);
    // Every byte of the budget is back.
    log.flush_now(log.last_lsn()).await.unwrap();
    assert_eq!(log.shared.budget.available_permits() as u64, log.shared.options.budget());
    // A delta whose base is in no segment is found out when it is read.
    let lost = Lsn::new(full.get() - 1);
    let orphan = table.put(9, PutArgs::delta(lost, lost), "x").await.unwrap();
    assert_eq!(table.get(9, orphan).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn numbers_at_the_edges_and_pages_of_any_size() {
    let log = a_log().await;
    let flags = PageFlags::COMPRESSED.with(PageFlags::COLD).with(PageFlags::from_bits(1 << 31));
    let mut written = Vec::new();
    for (table, page, size) in [(0, 0, 0), (u64::MAX, u64::MAX, 1), (u64::MAX, 0, 16 << 20), (0, u64::MAX, 4096)] {
        let bytes: Bytes = (0..size).map(|at: usize| (at / 7) as u8).collect();
        let lsn = log.table(table).put(page, PutArgs::full().flags(flags), bytes.clone()).await.unwrap();
        written.push((table, page, lsn, bytes));
    }
    for round in 0..2 {
        for (table, page, lsn, bytes) in &written {
            for lsn in [*lsn, Lsn::MAX] {
                let chain = log.table(*table).get(*page, lsn).await.unwrap();
                assert!(chain.records[0].bytes == *bytes && chain.records[0].flags == flags, "{table} {page} {round}");
            }
        }
        assert_eq!(log.table(0).page_ids(Lsn::MAX).await.unwrap(), [0, u64::MAX]);
        assert_eq!(log.table(u64::MAX).page_ids(Lsn::MAX).await.unwrap(), [0, u64::MAX]);
        log.flush_now(log.last_lsn()).await.unwrap();
        log.merge_indexes().await.unwrap();
    }
    for (table, page, lsn) in [(3, 3, Lsn::MAX), (3, 3, written[0].2), (0, 1, Lsn::MAX), (0, 0, Lsn::new(1))] {
        assert_eq!(log.table(table).get(page, lsn).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(log.table(3).page_ids(Lsn::MAX).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_lsn_of_the_future_is_waited_for_and_then_an_error() {
    let log = a_log().await;
    let table = log.table(1);
    let now = table.put(1, PutArgs::full(), "a").await.unwrap();
    let next = Lsn::new(now.get() + 1);
    let fault = table.get(1, next).await.unwrap_err();
    assert!(matches!(fault, PageLogFault::NotYet { .. }) && fault.is_retryable(), "{fault}");
    let (reader, writer) = (table.clone(), table.clone());
    let reading = tokio::spawn(async move { reader.get_within(1, next, Duration::from_secs(60)).await });
    SystemClock.sleep(Duration::from_millis(20)).await;
    assert_eq!(writer.put(1, PutArgs::full().backlink(now), "b").await.unwrap(), next);
    assert_eq!(reading.await.unwrap().unwrap().records[0].bytes, "b");
    for result in [log.flush(Lsn::new(next.get() + 1)).await, log.flush_now(Lsn::MAX).await] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Invalid);
    }
    for start in [Lsn::NONE, Lsn::new(next.get() + 2), Lsn::MAX] {
        assert_eq!(log.trim_table(1, start).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_follower_reads_what_was_published_and_waits_for_the_next_state() {
    let objects = MemoryObjects::new();
    let leader = objects.new_log(small_options()).await;
    let table = leader.table(1);
    let first = table.put(1, PutArgs::full(), "a").await.unwrap();
    leader.flush_now(first).await.unwrap();
    let follower = objects.open(&leader.state_at(first), None, small_options(), KeyManagement::none()).await.unwrap();
    let second = table.put(1, PutArgs::full().backlink(first), "b").await.unwrap();
    leader.flush_now(second).await.unwrap();
    let behind = follower.table(1);
    assert_eq!(behind.get(1, Lsn::MAX).await.unwrap().records[0].bytes, "a");
    assert!(matches!(behind.get(1, second).await, Err(PageLogFault::NotYet { .. })));
    let waiting = behind.clone();
    let reading = tokio::spawn(async move { waiting.get_within(1, second, Duration::from_secs(60)).await });
    SystemClock.sleep(Duration::from_millis(20)).await;
    follower.advance(&leader.state()).await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap().records[0].bytes, "b");
    for result in [
        behind.put(1, PutArgs::full(), "c").await.map(drop),
        behind.discard(1, second).await.map(drop),
        follower.trim_table(1, second).await.map(drop),
        follower.abandon(first),
        follower.allocate_lsn().map(drop),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    // A run that goes beyond the checkpoint shows what the checkpoint had, and the rest with the next one; back again as well.
    leader.merge_indexes().await.unwrap();
    for (lsn, bytes) in [(first, "a"), (second, "b"), (first, "a"), (second, "b")] {
        let state = LogState::decode(&leader.state_at(lsn).encode(), "state").unwrap();
        assert_eq!(state.runs().len(), 1);
        follower.advance(&state).await.unwrap();
        assert_eq!(
            (behind.get(1, Lsn::MAX).await.unwrap().records[0].bytes.as_ref(), follower.last_lsn()),
            (bytes.as_bytes(), lsn)
        );
    }
    assert_eq!(follower.advance(&LogState::new(1)).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(leader.advance(&leader.state()).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_discarded_page_is_gone_from_its_tombstone_on() {
    let log = a_log().await;
    let table = log.table(1);
    let full = table.put(1, PutArgs::full(), "a").await.unwrap();
    let gone = table.discard(1, full).await.unwrap();
    let back = table.put(2, PutArgs::full(), "b").await.unwrap();
    for _ in 0..2 {
        assert_eq!(table.get(1, full).await.unwrap().records[0].bytes, "a");
        for lsn in [gone, Lsn::MAX] {
            let fault = table.get(1, lsn).await.unwrap_err();
            assert!(matches!(fault, PageLogFault::Discarded { lsn, .. } if lsn == gone), "{fault}");
        }
        assert_eq!(table.page_ids(full).await.unwrap(), [1]);
        assert_eq!(table.page_ids(back).await.unwrap(), [2]);
        log.flush_now(back).await.unwrap();
    }
}

#[tokio::test]
async fn the_victim_cache_gives_an_image_back_once_and_can_be_passed_by() {
    let mut options = small_options();
    options.victim_cache = 1 << 20;
    let log = MemoryObjects::new().new_log(options).await;
    let table = log.table(1);
    let full = table.put(1, PutArgs::full(), "full").await.unwrap();
    let delta = table.put(1, PutArgs::delta(full, full), "delta").await.unwrap();
    assert!(table.victim_cache_available() && !table.victim_has(1, delta));
    table.victim_put(1, delta, PutArgs::delta(full, full), "image");
    assert!(table.victim_has(1, delta) && !table.victim_has(1, full) && !log.table(2).victim_has(1, delta));
    assert_eq!(table.get_from_log(1, delta, Duration::ZERO).await.unwrap().records.len(), 2);
    let image = table.get(1, delta).await.unwrap();
    assert_eq!((image.records.len(), &image.records[0].bytes[..], image.base), (1, &b"image"[..], full));
    assert_eq!(table.get(1, delta).await.unwrap().records.len(), 2);
    table.victim_put(1, delta, PutArgs::full(), "image");
    assert!(table.victim_delete(1, delta) && !table.victim_delete(1, delta));
    table.victim_put(1, delta, PutArgs::full(), "image");
    log.trim_table(1, delta).await.unwrap();
    assert!(!table.victim_has(1, delta), "a trim takes images away, too");
    let without = a_log().await.table(1);
    without.victim_put(1, delta, PutArgs::full(), "image");
    assert!(!without.victim_cache_available() && !without.victim_has(1, delta));
}

#[tokio::test]
async fn abandoned_records_are_gone_and_their_lsns_are_not_used_again() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    let table = log.table(1);
    let kept = table.put(1, PutArgs::full(), "kept").await.unwrap();
    let straddling = table.put(1, PutArgs::full().backlink(kept), "same segment").await.unwrap();
    log.flush_now(straddling).await.unwrap();
    log.settle(kept);
    let later = table.put(1, PutArgs::full().backlink(straddling), "another").await.unwrap();
    log.trim_table(1, later).await.unwrap();
    assert!(table.get(1, straddling).await.is_err());
    log.abandon(kept).unwrap();
    for lsn in [straddling, later] {
        assert_eq!(table.get(1, lsn).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(log.flush(lsn).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    assert_eq!(table.get(1, Lsn::MAX).await.unwrap().records[0].bytes, "kept");
    assert_eq!(log.abandon(Lsn::new(kept.get() - 1)).unwrap_err().kind(), ErrorKind::Invalid);
    let next = table.put(1, PutArgs::full().backlink(kept), "next").await.unwrap();
    assert!(next > later);
    log.flush_now(next).await.unwrap();
    assert_eq!(log.shared.budget.available_permits() as u64, log.shared.options.budget());
    let state = LogState::decode(&log.state().encode(), "state").unwrap();
    let reopened = objects.open(&state, Some(2), small_options(), KeyManagement::none()).await.unwrap();
    assert_eq!(reopened.table(1).get(1, Lsn::MAX).await.unwrap().records[0].bytes, "next");
    assert!(reopened.table(1).get(1, straddling).await.is_err());
    let fault = objects.open(&state, Some(0), small_options(), KeyManagement::none()).await.unwrap_err();
    assert_eq!(fault.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn what_was_abandoned_out_of_the_middle_of_a_segment_stays_gone_through_merges() {
    let mut options = small_options();
    options.background = false;
    let log = MemoryObjects::new().new_log(options).await;
    let table = log.table(1);
    let kept = table.put(1, PutArgs::full(), "kept").await.unwrap();
    let dropped = table.put(2, PutArgs::full(), "in the same segment").await.unwrap();
    log.flush_now(dropped).await.unwrap();
    log.merge_indexes().await.unwrap();
    log.abandon(kept).unwrap();
    let next = table.put(3, PutArgs::full(), "next").await.unwrap();
    log.flush_now(next).await.unwrap();
    for _ in 0..2 {
        assert_eq!(table.page_ids(Lsn::MAX).await.unwrap(), [1, 3]);
        assert_eq!(table.get(2, dropped).await.unwrap_err().kind(), ErrorKind::NotFound);
        let found = log.verify().await;
        assert!(found.is_clean(), "{found:?}");
        log.merge_indexes().await.unwrap();
    }
    assert_eq!((log.stats().runs, log.stats().versions), (1, 2));
}

#[tokio::test]
async fn flushes_share_a_segment_and_age_seals_one_that_nobody_waits_for() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.flush_age = Duration::from_millis(600);
    options.segment_age = Duration::from_millis(1500);
    let log = objects.new_log(options).await;
    let flushes: Vec<_> = (0..10_u64)
        .map(|number| {
            let log = log.clone();
            tokio::spawn(async move {
                let lsn = log.table(1).put(number, PutArgs::full(), "page").await.unwrap();
                log.flush(lsn).await.unwrap();
            })
        })
        .collect();
    for flush in flushes {
        flush.await.unwrap();
    }
    assert_eq!(log.stats().segments, 1);
    let lsn = log.table(1).put(11, PutArgs::full(), "page").await.unwrap();
    assert_eq!(log.durable_above(Lsn::new(lsn.get() - 1)).await.unwrap(), lsn);
    assert_eq!(log.stats().segments, 2);
    log.close().await.unwrap();
    assert_eq!(log.table(1).put(1, PutArgs::full(), "x").await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(log.table(1).get(11, Lsn::MAX).await.unwrap().lsn, lsn);
}

#[tokio::test]
async fn the_number_of_runs_grows_with_the_logarithm() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.background = false;
    let log = objects.new_log(options).await;
    let mut most = 0;
    for number in 0..120_u64 {
        let lsn = log.table(1).put(number % 7, PutArgs::full(), "page").await.unwrap();
        log.flush_now(lsn).await.unwrap();
        log.merge_indexes().await.unwrap();
        most = most.max(log.stats().runs);
        assert_eq!((log.stats().segments, log.stats().versions), (0, number + 1));
    }
    assert!((2..=6).contains(&most), "{most} runs");
}

/// What reading costs, in a real bucket without a cache.
#[tokio::test]
async fn a_cold_get_takes_a_block_and_a_record_and_a_warm_one_nothing() {
    let bucket = plastron_sources::Bucket::open(BucketOptions::parse("source=memory_store").unwrap()).await.unwrap();
    let gets = || {
        let stats = bucket.stats();
        stats.requests_of(RequestKind::Get) + stats.requests_of(RequestKind::Head)
    };
    let mut parts = PageLogParts::new(bucket.clone());
    parts.keys = fixed_keys("cost");
    parts.options.background = false;
    parts.options.index_block_size = 1 << 10;
    let log = PageLog::open(parts.clone(), &LogState::new(DATABASE), 1).await.unwrap();
    let mut lsns = Vec::new();
    for number in 0..2000_u64 {
        lsns.push(log.table(1).put(number, PutArgs::full(), vec![number as u8; 300]).await.unwrap());
        if number % 500 == 499 {
            log.flush_now(lsns[number as usize]).await.unwrap();
        }
        if number == 999 {
            log.merge_indexes().await.unwrap();
        }
    }
    let state = log.state();
    assert_eq!((state.runs().len(), state.segments().len()), (1, 2));
    let before = gets();
    let log = PageLog::open_for_reading(parts, &state).await.unwrap();
    // One request for each run and for each segment that is in none.
    assert_eq!(gets() - before, 3);
    for (number, lsn, most) in [(700, lsns[700], 2), (710, Lsn::MAX, 2), (1700, lsns[1700], 1), (1100, Lsn::MAX, 1)] {
        let before = gets();
        let chain = log.table(1).get(number, lsn).await.unwrap();
        assert_eq!(chain.records[0].bytes, vec![number as u8; 300]);
        assert!(gets() - before <= most, "{} requests for page {number}", gets() - before);
        let before = gets();
        log.table(1).get(number, chain.lsn).await.unwrap();
        log.table(1).get(number, lsn).await.unwrap();
        assert_eq!(gets(), before);
    }
    // With its block in memory, one that was never read takes one.
    let before = gets();
    log.table(1).get(701, lsns[701]).await.unwrap();
    assert!(gets() - before <= 1);
}

/// In a directory, through the cache: what was written is in it, and what was read stays in it, across logs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_block_cache_has_what_was_written_and_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("source=dir_store,bucket=\"{}\"", folder.path().display());
    let bucket = plastron_sources::Bucket::open(BucketOptions::parse(&text).unwrap()).await.unwrap();
    let gets = || bucket.stats().requests_of(RequestKind::Get) + bucket.stats().requests_of(RequestKind::Head);
    let cache = || crate::Store::open_cache(plastron_cache::CacheOptions::new());
    let mut parts = PageLogParts::new(bucket.clone());
    (parts.keys, parts.cache) = (fixed_keys("cache"), Some(cache().await.unwrap()));
    let log = PageLog::open(parts.clone(), &LogState::new(DATABASE), 1).await.unwrap();
    let mut lsns = Vec::new();
    for number in 0..300_u64 {
        lsns.push(log.table(1).put(number, PutArgs::full(), vec![number as u8; 4000]).await.unwrap());
    }
    log.flush_now(lsns[299]).await.unwrap();
    let read_all = async |log: &PageLog| {
        for (number, lsn) in lsns.iter().enumerate() {
            let chain = log.table(1).get(number as u64, *lsn).await.unwrap();
            assert_eq!(chain.records[0].bytes, vec![number as u8; 4000]);
        }
    };
    let before = gets();
    read_all(&log).await;
    let reader = PageLog::open_for_reading(parts.clone(), &log.state()).await.unwrap();
    read_all(&reader).await;
    assert_eq!(gets(), before);
    log.merge_indexes().await.unwrap();
    let state = log.state();
    assert_eq!((state.segments().len(), state.runs().len()), (0, 1));
    // A cache that has nothing: each of five blocks of 256 KiB once, and the run.
    parts.cache = Some(cache().await.unwrap());
    let reader = PageLog::open_for_reading(parts.clone(), &state).await.unwrap();
    read_all(&reader).await;
    let taken = gets() - before;
    assert!((2..=9).contains(&taken), "{taken} requests");
    let again = PageLog::open_for_reading(parts, &state).await.unwrap();
    read_all(&again).await;
    assert_eq!(gets() - before, taken);
    assert!(again.verify().await.is_clean());
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_and_readers_at_once() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.compression = Some(1);
    let log = objects.open(&LogState::new(DATABASE), Some(1), options, fixed_keys("many")).await.unwrap();
    let writers: Vec<_> = (0..8_u64)
        .map(|table| {
            let log = log.clone();
            tokio::spawn(async move {
                let handle = log.table(table);
                let mut chains: Vec<(u64, Lsn, Vec<String>)> = Vec::new();
                for number in 0..60_u64 {
                    let page = number % 5;
                    let known =
                        chains.iter().rev().find(|(known, _, texts)| *known == page && texts.len() < 20).cloned();
                    let text = format!("{table} {page} {number} {}", "x".repeat(number as usize * 3));
                    let (args, mut texts) = match known {
                        Some((_, last, texts)) => {
                            let before = handle.get(page, last).await.unwrap();
                            (PutArgs::delta(before.records[0].lsn, last), texts)
                        }
                        None => (PutArgs::full(), Vec::new()),
                    };
                    texts.push(text.clone());
                    let lsn = handle.put(page, args, text).await.unwrap();
                    chains.push((page, lsn, texts));
                    if number % 16 == 3 {
                        log.flush(lsn).await.unwrap();
                    }
                }
                (table, chains)
            })
        })
        .collect();
    let mut all = Vec::new();
    for writer in writers {
        all.push(writer.await.unwrap());
    }
    log.flush_now(log.last_lsn()).await.unwrap();
    let state = log.state();
    let reopened = objects.open(&state, Some(2), small_options(), fixed_keys("many")).await.unwrap();
    let mut lsns = std::collections::BTreeSet::new();
    for (table, chains) in &all {
        for (page, lsn, texts) in chains {
            assert!(lsns.insert(*lsn));
            for log in [&log, &reopened] {
                let chain = log.table(*table).get(*page, *lsn).await.unwrap();
                let found: Vec<&[u8]> = chain.records.iter().map(|record| &record.bytes[..]).collect();
                assert_eq!(found, texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
            }
        }
    }
    assert_eq!(lsns.len(), 8 * 60);
}
