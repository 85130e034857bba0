//! What happens when objects can't be written, come late, are damaged or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_keys::KeyManagement;
use plastron_sources::Fault;
use plastron_sources::clock::{Clock, SystemClock};

use super::testing::{DATABASE, Fate, MemoryObjects, busy, fixed_keys, small_options};
use super::*;

fn page(seed: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| seed.wrapping_mul(31).wrapping_add(at as u8)).collect()
}

fn forbidden() -> Fault {
    Fault::Forbidden { code: "AccessDenied".to_owned() }
}

#[tokio::test]
async fn an_upload_that_fails_for_good_is_told_by_every_later_write_and_names_its_object() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    let table = log.table(1);
    let durable = table.put(1, PutArgs::full(), page(1, 100)).await.unwrap();
    log.flush_now(durable).await.unwrap();
    objects.judge(|_| Fate::Fail(forbidden()));
    let lost = table.put(1, PutArgs::full().backlink(durable), page(2, 100)).await.unwrap();
    let name = "_plastron/log/00000000000000000001-00000000000000000002.seg";
    let told = |fault: PageLogFault| {
        assert!(fault.to_string().contains(name) && fault.kind() == ErrorKind::Unauthorized, "{fault}");
        assert!(!fault.is_retryable());
    };
    told(log.flush_now(lost).await.unwrap_err());
    told(table.put(2, PutArgs::full(), page(3, 100)).await.unwrap_err());
    told(table.discard(1, durable).await.unwrap_err());
    told(log.flush(lost).await.unwrap_err());
    told(log.trim_table(1, durable).await.unwrap_err());
    told(log.allocate_lsn().unwrap_err());
    told(log.abandon(durable).unwrap_err());
    told(log.close().await.unwrap_err());
    told(log.durable_above(durable).await.unwrap_err());
    // What was acknowledged as durable is; the state is that of before; and reading goes on.
    log.flush(durable).await.unwrap();
    assert_eq!(log.durable_lsn(), durable);
    assert_eq!(log.state().segments().len(), 1);
    assert_eq!(table.get(1, durable).await.unwrap().records[0].bytes, page(1, 100));
    assert_eq!(table.get(1, Lsn::MAX).await.unwrap().lsn, lost);
}

#[tokio::test]
async fn a_name_that_is_taken_fails_the_log_and_replaces_nothing() {
    let objects = MemoryObjects::new();
    let first = objects.new_log(small_options()).await;
    let lsn = first.table(1).put(1, PutArgs::full(), page(1, 10)).await.unwrap();
    first.flush_now(lsn).await.unwrap();
    let before = objects.bytes(&objects.names()[0]);
    // Two writers of one epoch, which no leader allows.
    let second = objects.new_log(small_options()).await;
    let lsn = second.table(1).put(1, PutArgs::full(), page(2, 10)).await.unwrap();
    assert_eq!(second.flush_now(lsn).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(objects.bytes(&objects.names()[0]), before);
}

#[tokio::test]
async fn a_store_that_is_away_for_a_while_costs_time_and_nothing_else() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    objects.judge(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Fate::Fail(busy()),
        _ => Fate::Go,
    });
    let lsn = log.table(1).put(1, PutArgs::full(), page(1, 10)).await.unwrap();
    log.flush_now(lsn).await.unwrap();
    assert_eq!((tries.load(Ordering::Relaxed), log.durable_lsn()), (3, lsn));
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_found_to_be_there() {
    let objects = MemoryObjects::new();
    let log = objects.open(&LogState::new(DATABASE), Some(1), small_options(), fixed_keys("lost")).await.unwrap();
    objects.judge(|name| if name.ends_with("1.seg") { Fate::Lose(busy()) } else { Fate::Go });
    let lsn = log.table(1).put(1, PutArgs::full(), page(1, 6000)).await.unwrap();
    log.flush_now(lsn).await.unwrap();
    assert_eq!((log.durable_lsn(), objects.names().len()), (lsn, 1));
    assert!(log.verify().await.is_clean());
    // But what somebody else made while the store was away is not taken for it.
    let others = Arc::clone(&objects);
    objects.judge(move |name| {
        if !others.names().iter().any(|there| there == name) {
            others.put(name, others.bytes(&others.names()[0]));
            return Fate::Fail(busy());
        }
        Fate::Go
    });
    let lost = log.table(1).put(1, PutArgs::full().backlink(lsn), page(2, 6000)).await.unwrap();
    assert_eq!(log.flush_now(lost).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_store_that_stays_away_fails_the_log_at_the_deadline() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.upload_deadline = Duration::from_millis(150);
    let log = objects.new_log(options).await;
    objects.judge(|_| Fate::Fail(busy()));
    let lsn = log.table(1).put(1, PutArgs::full(), page(1, 10)).await.unwrap();
    let fault = log.flush_now(lsn).await.unwrap_err();
    assert!(matches!(fault, PageLogFault::Failed { .. }) && fault.kind() == ErrorKind::Unavailable, "{fault}");
    assert!(!fault.is_retryable());
}

#[tokio::test]
async fn the_durable_lsn_has_no_gaps_whichever_upload_ends_first() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    objects.judge(|_| Fate::Hold);
    let mut lsns = Vec::new();
    for number in 0..3_u64 {
        lsns.push(log.table(1).put(number, PutArgs::full(), page(number as u8, 8 << 10)).await.unwrap());
    }
    let mut held = objects.held(3).await;
    held.sort();
    assert_eq!(held.len(), 3);
    objects.release(&held[2]).await;
    objects.release(&held[1]).await;
    tokio::time::timeout(Duration::from_millis(50), log.flush(lsns[1])).await.unwrap_err();
    assert_eq!(log.durable_lsn().get(), lsns[0].get() - 1);
    assert_eq!(log.state().segments().len(), 0);
    objects.release(&held[0]).await;
    log.flush(lsns[2]).await.unwrap();
    assert_eq!(log.durable_lsn(), lsns[2]);
    assert_eq!(log.state().segments().len(), 3);
}

#[tokio::test]
async fn puts_wait_when_the_memory_is_used_up_and_go_on_when_there_is_room() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    objects.judge(|_| Fate::Hold);
    let (writer, written) = (log.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&written);
    let writing = tokio::spawn(async move {
        for number in 0..200_u64 {
            writer.table(1).put(number, PutArgs::full(), page(number as u8, 1 << 10)).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let held = objects.held(3).await;
    let budget = log.shared.options.budget();
    // Less than the next one takes: it waits.
    while log.shared.budget.available_permits() >= 1 << 10 {
        SystemClock.sleep(Duration::from_millis(1)).await;
    }
    let stopped = written.load(Ordering::Relaxed);
    assert!(stopped < 100 && log.stats().waiting_bytes <= budget, "{stopped} puts, {:?}", log.stats());
    // A put that is given up while it waits takes nothing.
    let other = log.table(2);
    let given_up = tokio::time::timeout(Duration::from_millis(20), other.put(7, PutArgs::full(), page(7, 9000)));
    given_up.await.unwrap_err();
    objects.judge(|_| Fate::Go);
    for name in &held {
        objects.release(name).await;
    }
    writing.await.unwrap();
    log.flush_now(log.last_lsn()).await.unwrap();
    assert_eq!(log.stats().waiting_bytes, 0);
    assert_eq!(log.shared.budget.available_permits() as u64, budget);
    assert_eq!(log.table(2).get(7, Lsn::MAX).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(log.table(1).page_ids(Lsn::MAX).await.unwrap().len(), 200);
}

#[tokio::test]
async fn puts_that_wait_for_room_are_told_when_the_log_fails() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    objects.judge(|_| Fate::Fail(forbidden()));
    let mut last = Ok(Lsn::NONE);
    for number in 0..200_u64 {
        last = log.table(1).put(number, PutArgs::full(), page(1, 4 << 10)).await;
        if last.is_err() {
            break;
        }
    }
    assert!(matches!(last, Err(PageLogFault::Failed { .. })), "{last:?}");
}

#[tokio::test]
async fn one_page_larger_than_the_memory_passes_alone() {
    let objects = MemoryObjects::new();
    let log = objects.new_log(small_options()).await;
    for number in 0..3 {
        let lsn = log.table(1).put(number, PutArgs::full(), page(number as u8, 1 << 20)).await.unwrap();
        log.flush(lsn).await.unwrap();
    }
    for number in 0..3 {
        assert_eq!(log.table(1).get(number, Lsn::MAX).await.unwrap().records[0].bytes, page(number as u8, 1 << 20));
    }
}

/// A log with a run and two segments, closed, and its state.
async fn a_stored_log(objects: &Arc<MemoryObjects>, keys: &KeyManagement) -> (LogState, Vec<Lsn>) {
    let mut options = small_options();
    options.background = false;
    let log = objects.open(&LogState::new(DATABASE), Some(1), options, keys.clone()).await.unwrap();
    let mut lsns = Vec::new();
    for number in 0..60_u64 {
        let lsn = log.table(1).put(number, PutArgs::full(), page(number as u8, 500)).await.unwrap();
        lsns.push(lsn);
        if number % 15 == 14 {
            log.flush_now(lsn).await.unwrap();
        }
        if number == 29 {
            log.merge_indexes().await.unwrap();
        }
    }
    let state = log.state();
    assert!(state.runs().len() == 1 && state.segments().len() >= 2, "{state:?}");
    (state, lsns)
}

async fn reads_all(log: &PageLog, lsns: &[Lsn]) -> Result<(), PageLogFault> {
    for (number, lsn) in lsns.iter().enumerate() {
        let chain = log.table(1).get(number as u64, *lsn).await?;
        assert_eq!(chain.records[0].bytes, page(number as u8, 500));
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_or_missing_object_is_an_error_that_names_it_and_never_other_bytes() {
    let objects = MemoryObjects::new();
    let (state, lsns) = a_stored_log(&objects, &fixed_keys("faults")).await;
    for name in objects.names() {
        let good = objects.bytes(&name);
        let log = objects.open(&state, None, small_options(), fixed_keys("faults")).await.unwrap();
        for at in (0..good.len()).step_by(good.len() / 97 + 1).chain([good.len() - 1]) {
            objects.change(&name, |bytes| bytes[at] ^= 4);
            let opened = objects.open(&state, None, small_options(), fixed_keys("faults")).await;
            let result = match opened {
                Ok(log) => reads_all(&log, &lsns).await,
                Err(fault) => Err(fault),
            };
            // Bytes that no read needs may be anything; `verify` reads them all.
            let found = log.verify().await;
            assert!(
                found.faults.iter().any(|fault| fault.to_string().contains(&name)),
                "byte {at} of {name}: {found:?}"
            );
            if let Err(fault) = result {
                assert!(
                    fault.kind() == ErrorKind::Corrupt && fault.to_string().contains(&name),
                    "{at} of {name}: {fault}"
                );
            }
            objects.change(&name, |bytes| *bytes = good.to_vec());
        }
        objects.remove(&name);
        let opened = objects.open(&state, None, small_options(), fixed_keys("faults")).await;
        // A page whose object is gone is not one that was never written.
        let (kind, fault) = match opened {
            Ok(log) => (ErrorKind::Corrupt, reads_all(&log, &lsns).await.unwrap_err()),
            Err(fault) => (ErrorKind::NotFound, fault),
        };
        assert!(fault.kind() == kind && fault.to_string().contains(&name), "{fault}");
        objects.judge(|_| Fate::Go);
        objects.put(&name, good);
    }
    let log = objects.open(&state, None, small_options(), fixed_keys("faults")).await.unwrap();
    reads_all(&log, &lsns).await.unwrap();
    let found = log.verify().await;
    assert!(found.is_clean() && (found.runs, found.records) == (1, 60) && found.bytes > 30_000, "{found:?}");
    let dumped = log.table(1).dump(3, lsns[3]).await.unwrap();
    assert!(dumped[0].to_string().contains("-00000000000000000001.seg bytes "), "{}", dumped[0]);
    // Other keys open nothing.
    let log = objects.open(&state, None, small_options(), fixed_keys("others")).await.unwrap();
    let fault = reads_all(&log, &lsns).await.unwrap_err();
    assert!(matches!(fault, PageLogFault::Keys(_)), "{fault}");
}

#[tokio::test]
async fn a_merge_that_fails_changes_nothing_and_is_tried_again() {
    let objects = MemoryObjects::new();
    let mut options = small_options();
    options.background = false;
    let log = objects.new_log(options).await;
    let mut lsns = Vec::new();
    for number in 0..20 {
        lsns.push(log.table(1).put(number, PutArgs::full(), page(number as u8, 500)).await.unwrap());
        log.flush_now(lsns[number as usize]).await.unwrap();
    }
    objects.judge(|name| if name.ends_with(".idx") { Fate::Fail(busy()) } else { Fate::Go });
    assert_eq!(log.merge_indexes().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((log.stats().segments, log.stats().runs), (20, 0));
    reads_all(&log, &lsns).await.unwrap();
    objects.judge(|_| Fate::Go);
    log.merge_indexes().await.unwrap();
    assert_eq!((log.stats().segments, log.stats().runs, log.stats().versions), (0, 1, 20));
    reads_all(&log, &lsns).await.unwrap();
}
