//! The suite that every replicated log passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plastron_keyserver::ErrorKind;
use plastron_keyserver::kv::{Batch, Kv, KvRead as _, MemoryKv};
use plastron_keyserver::log::{LocalLog, ReplicatedLog};

async fn suite(log: Arc<dyn ReplicatedLog>) {
    // Nothing yet: it waits, and giving up waiting does no harm.
    assert!(tokio::time::timeout(Duration::from_millis(20), log.wait_committed(0, 10)).await.is_err());
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.wait_committed(0, 10).await.unwrap() }
    });
    log.propose(Bytes::from_static(b"one")).await.unwrap();
    let first = waiting.await.unwrap();
    assert_eq!((first[0].index, &first[0].entry[..]), (1, &b"one"[..]));
    // Many at once: each has its place, the same for all who read.
    let proposals: Vec<_> = (0..200_u32)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.propose(Bytes::from(number.to_be_bytes().to_vec())).await })
        })
        .collect();
    for proposal in proposals {
        proposal.await.unwrap().unwrap();
    }
    let all = log.wait_committed(1, 1000).await.unwrap();
    assert!(all.iter().map(|entry| entry.index).eq(2..=201));
    let mut entries: Vec<_> = all.iter().map(|entry| entry.entry.to_vec()).collect();
    entries.sort();
    assert!(entries.into_iter().eq((0..200_u32).map(|number| number.to_be_bytes().to_vec())));
    let mut piecewise = Vec::new();
    while piecewise.len() < 200 {
        let after = piecewise.last().map_or(1, |entry: &plastron_keyserver::log::Committed| entry.index);
        piecewise.extend(log.wait_committed(after, 7).await.unwrap());
    }
    assert_eq!(piecewise, all);
    // The same bytes twice are two entries.
    log.propose(Bytes::from_static(b"one")).await.unwrap();
    assert_eq!(log.wait_committed(201, 10).await.unwrap()[0].index, 202);
    // What was truncated is missed by who asks for it, and by nobody else.
    log.truncate(100).await.unwrap();
    assert_eq!(log.wait_committed(99, 10).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(log.wait_committed(100, 10).await.unwrap()[0].index, 101);
    log.truncate(50).await.unwrap();
    assert_eq!(log.wait_committed(100, 1).await.unwrap()[0].index, 101);
    // Too large, and nothing happens.
    let error = log.propose(Bytes::from(vec![0; 1 << 20])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    log.propose(Bytes::new()).await.unwrap();
    assert_eq!(log.wait_committed(202, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn local_passes_the_suite_and_goes_on_after_a_restart() {
    let kv = MemoryKv::new();
    let open = || LocalLog::open(Arc::new(kv.clone())).unwrap();
    suite(Arc::new(open())).await;
    let log = open();
    assert_eq!(log.wait_committed(99, 10).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(log.wait_committed(202, 10).await.unwrap()[0].index, 203);
    log.truncate(u64::MAX).await.unwrap();
    drop(log);
    // Indices go on, whatever was truncated.
    let log = open();
    log.propose(Bytes::from_static(b"next")).await.unwrap();
    assert_eq!(log.wait_committed(203, 10).await.unwrap()[0].index, 204);
    assert_eq!(log.wait_committed(202, 10).await.unwrap().len(), 2);
}

#[cfg(feature = "fjall")]
#[tokio::test]
async fn local_on_disk_passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let database = plastron_keyserver::kv::FjallDatabase::open(directory.path(), 8 << 20).unwrap();
    suite(Arc::new(LocalLog::open(Arc::new(database.kv("log").unwrap())).unwrap())).await;
}

#[tokio::test]
async fn a_damaged_entry_is_found() {
    let kv = MemoryKv::new();
    let log = LocalLog::open(Arc::new(kv.clone())).unwrap();
    log.propose(Bytes::from_static(b"entry")).await.unwrap();
    let whole = kv.get(&1_u64.to_be_bytes()).unwrap().unwrap();
    for bit in 0..whole.len() * 8 {
        let mut value = whole.to_vec();
        value[bit / 8] ^= 1 << (bit % 8);
        let mut batch = Batch::new();
        batch.put(1_u64.to_be_bytes().to_vec(), value);
        kv.write(batch).unwrap();
        assert_eq!(log.wait_committed(0, 1).await.unwrap_err().kind(), ErrorKind::Corrupt, "bit {bit}");
    }
    let mut batch = Batch::new();
    batch.put(&b"something else"[..], &b""[..]);
    kv.write(batch).unwrap();
    assert_eq!(LocalLog::open(Arc::new(kv)).unwrap_err().kind(), ErrorKind::Corrupt);
}
