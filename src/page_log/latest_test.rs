//! The latest of a page, asked for again and again while the log changes under it.

use plastron_config::ErrorKind;
use plastron_keys::KeyManagement;

use super::testing::{MemoryObjects, small_options};
use super::*;

/// What the latest of page 1 is, asked for thrice: the second answer comes from what the first left, the third from what the second did.
async fn latest(log: &PageLog) -> Vec<u8> {
    let mut answers = Vec::new();
    for _ in 0..3 {
        let chain = log.table(1).get(1, Lsn::MAX).await.unwrap();
        answers.push(chain.records.iter().flat_map(|record| record.bytes.to_vec()).collect::<Vec<u8>>());
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    answers.swap_remove(0)
}

async fn put(log: &PageLog, page: u64, bytes: &'static str) -> Lsn {
    log.table(1).put(page, PutArgs::full(), bytes).await.unwrap()
}

#[tokio::test]
async fn a_put_is_the_latest_wherever_the_one_before_it_is() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.background = false;
    let log = objects.new_log(options).await;
    for merged in [false, true, true] {
        let first = put(&log, 1, "first").await;
        assert_eq!(latest(&log).await, b"first");
        log.flush_now(first).await.unwrap();
        assert_eq!(latest(&log).await, b"first");
        // Another page's record moves the end of the log on, in memory and then in the bucket.
        let other = put(&log, 2, "other").await;
        assert_eq!(latest(&log).await, b"first");
        log.flush_now(other).await.unwrap();
        assert_eq!(latest(&log).await, b"first");
        let second = put(&log, 1, "second").await;
        assert_eq!(latest(&log).await, b"second");
        log.flush_now(second).await.unwrap();
        // The record that was asked for last was in memory, and what is known of the page is what was in the bucket before it.
        assert_eq!(latest(&log).await, b"second");
        if merged {
            log.merge_indexes().await.unwrap();
            assert_eq!(latest(&log).await, b"second");
        }
    }
    let base = log.table(1).get(1, Lsn::MAX).await.unwrap().lsn;
    let delta = log.table(1).put(1, PutArgs::delta(base, base), "+").await.unwrap();
    assert_eq!(latest(&log).await, b"second+");
    log.flush_now(delta).await.unwrap();
    assert_eq!(latest(&log).await, b"second+");
    let discarded = log.table(1).discard(1, delta).await.unwrap();
    for _ in 0..2 {
        assert_eq!(log.table(1).get(1, Lsn::MAX).await.unwrap_err().kind(), ErrorKind::NotFound);
        log.flush_now(discarded).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_the_latest_is_so_again_after_an_abandon_and_gone_after_a_trim() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    let kept = put(&log, 1, "kept").await;
    log.flush_now(kept).await.unwrap();
    log.settle(kept);
    assert_eq!(latest(&log).await, b"kept");
    let lost = put(&log, 1, "lost").await;
    log.flush_now(lost).await.unwrap();
    assert_eq!(latest(&log).await, b"lost");
    log.abandon(kept).unwrap();
    assert_eq!(latest(&log).await, b"kept");
    let next = put(&log, 1, "next").await;
    assert_eq!(latest(&log).await, b"next");
    log.flush_now(next).await.unwrap();
    assert_eq!(latest(&log).await, b"next");
    log.trim_table(1, Lsn::new(next.get() + 1)).await.unwrap();
    assert_eq!(log.table(1).get(1, Lsn::MAX).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_follower_has_the_latest_of_the_state_it_is_at() {
    let objects = MemoryObjects::new();
    let leader = objects.new_log(small_options()).await;
    let first = put(&leader, 1, "first").await;
    let second = put(&leader, 1, "second").await;
    let third = put(&leader, 2, "of another page").await;
    leader.flush_now(third).await.unwrap();
    let at = |lsn| leader.state_at(lsn);
    let follower = objects.open(&at(first), None, small_options(), KeyManagement::none()).await.unwrap();
    for (lsn, bytes) in [(first, "first"), (second, "second"), (first, "first"), (third, "second"), (second, "second")]
    {
        follower.advance(&at(lsn)).await.unwrap();
        assert_eq!(latest(&follower).await, bytes.as_bytes());
    }
}

#[tokio::test]
async fn nothing_is_kept_where_there_is_no_memory_for_it() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.record_memory = 0;
    let log = objects.new_log(options).await;
    for bytes in ["first", "second"] {
        let lsn = put(&log, 1, bytes).await;
        log.flush_now(lsn).await.unwrap();
        assert_eq!(latest(&log).await, bytes.as_bytes());
    }
}
