//! Segments that are encoded and written while they fill.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plastron_config::ErrorKind;
use plastron_keys::KeyManagement;
use plastron_sources::Fault;

use super::testing::{DATABASE, Fate, MemoryObjects, busy, fixed_keys, small_options};
use super::*;

/// Bytes of a page: a piece of its own, and more than a chunk of a segment.
const PAGE: usize = 5000;

fn page(seed: u8) -> Vec<u8> {
    (0..PAGE).map(|at| seed.wrapping_mul(31).wrapping_add(at as u8)).collect()
}

fn options() -> PageLogOptions {
    let mut options = small_options();
    options.segment_size = 64 << 10;
    options.memory = 512 << 10;
    options.background = false;
    options
}

/// A log of one open segment with the pages `0..count`, of which the first half is written ahead at least.
async fn a_log_half_written(objects: &Arc<MemoryObjects>, count: u8) -> (PageLog, Vec<Lsn>) {
    let log = objects.open(&LogState::new(DATABASE), Some(1), options(), fixed_keys("early")).await.unwrap();
    let lsns = put(&log, 0..count).await;
    objects.ahead(u64::from(count) / 2 * PAGE as u64).await;
    assert!(objects.names().is_empty() && log.durable_lsn() < lsns[0]);
    (log, lsns)
}

async fn put(log: &PageLog, numbers: std::ops::Range<u8>) -> Vec<Lsn> {
    let mut lsns = Vec::new();
    for number in numbers {
        lsns.push(log.table(1).put(u64::from(number), PutArgs::full(), page(number)).await.unwrap());
    }
    lsns
}

/// The log as a reader finds it, everything checked.
async fn reopened(objects: &Arc<MemoryObjects>, log: &PageLog) -> PageLog {
    let reader = objects.open(&log.state(), None, options(), fixed_keys("early")).await.unwrap();
    let found = reader.verify().await;
    assert!(found.is_clean(), "{found:?}");
    reader
}

#[tokio::test]
async fn what_was_written_ahead_and_the_rest_are_one_segment() {
    let objects = MemoryObjects::new();
    let (log, mut lsns) = a_log_half_written(&objects, 8).await;
    lsns.extend(put(&log, 8..11).await);
    log.flush_now(*lsns.last().unwrap()).await.unwrap();
    let reader = reopened(&objects, &log).await;
    assert_eq!(reader.state().segments().len(), 1);
    for (number, lsn) in lsns.iter().enumerate() {
        assert_eq!(reader.table(1).get(number as u64, *lsn).await.unwrap().records[0].bytes, page(number as u8));
    }
    assert_eq!(log.stats().waiting_bytes, 0);
    assert_eq!(log.shared.budget.available_permits() as u64, log.shared.options.budget());
}

#[tokio::test]
async fn what_was_written_ahead_and_then_abandoned_is_in_no_segment() {
    let objects = MemoryObjects::new();
    let (log, lsns) = a_log_half_written(&objects, 8).await;
    log.abandon(lsns[1]).unwrap();
    let later = put(&log, 20..24).await;
    log.flush_now(*later.last().unwrap()).await.unwrap();
    let reader = reopened(&objects, &log).await;
    assert_eq!(reader.table(1).page_ids(Lsn::MAX).await.unwrap(), [0, 1, 20, 21, 22, 23]);
    assert_eq!(reader.table(1).get(2, lsns[2]).await.unwrap_err().kind(), ErrorKind::NotFound);
    // All of it, too.
    let (log, lsns) = a_log_half_written(&MemoryObjects::new(), 8).await;
    log.abandon(Lsn::new(lsns[0].get() - 1)).unwrap();
    log.flush_now(log.last_lsn()).await.unwrap();
    assert_eq!((log.state().segments().len(), log.stats().waiting_bytes), (0, 0));
}

#[tokio::test]
async fn a_kek_that_comes_into_force_meanwhile_seals_all_of_the_segment() {
    let objects = MemoryObjects::new();
    let (log, lsns) = a_log_half_written(&objects, 8).await;
    log.set_kek_lsn(lsns[3]);
    log.flush_now(lsns[7]).await.unwrap();
    let reader = reopened(&objects, &log).await;
    let segments = reader.state();
    assert_eq!(segments.segments()[0].key.as_ref().unwrap().kek_lsn, lsns[3]);
    assert_eq!(reader.table(1).page_ids(Lsn::MAX).await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_create_that_fails_is_tried_again_with_all_of_the_bytes_or_told() {
    let objects = MemoryObjects::new();
    let (log, lsns) = a_log_half_written(&objects, 8).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    objects.judge(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => Fate::Fail(busy()),
        1 => Fate::Lose(busy()),
        _ => Fate::Go,
    });
    log.flush_now(lsns[7]).await.unwrap();
    assert_eq!(reopened(&objects, &log).await.table(1).page_ids(Lsn::MAX).await.unwrap().len(), 8);

    let objects = MemoryObjects::new();
    let (log, lsns) = a_log_half_written(&objects, 8).await;
    objects.judge(|_| Fate::Fail(Fault::Forbidden { code: "AccessDenied".to_owned() }));
    let told = log.flush_now(lsns[7]).await.unwrap_err();
    assert!(matches!(told, PageLogFault::Failed { .. }) && objects.names().is_empty(), "{told}");
}

#[tokio::test]
async fn more_segments_than_may_be_encoded_at_once_go_one_after_the_other() {
    let objects = MemoryObjects::new();
    let mut narrow = options();
    // One copy only: two segments of memory.
    narrow.memory = 2 * narrow.segment_size;
    assert_eq!((narrow.encoded_at_once(), narrow.uploads_at_once(), narrow.budget()), (1, 1, narrow.segment_size));
    let log = objects.open(&LogState::new(DATABASE), Some(1), narrow, KeyManagement::none()).await.unwrap();
    let lsns = put(&log, 0..100).await;
    log.flush_now(lsns[99]).await.unwrap();
    assert_eq!(log.table(1).page_ids(Lsn::MAX).await.unwrap().len(), 100);
    assert!(log.verify().await.is_clean());
}
