//! The local log: the suite of all logs is in `support/log_suite.rs`, and here is what only this one has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

#[path = "support/log_suite.rs"]
mod log_suite;

use std::sync::Arc;

use bytes::Bytes;
use log_suite::suite;
use plastron_keyserver::ErrorKind;
use plastron_keyserver::kv::{Batch, Kv, KvRead as _, MemoryKv};
use plastron_keyserver::log::{LocalLog, ReplicatedLog as _};

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
    assert_eq!(log.wait_committed(204, 10).await.unwrap()[0].index, 205);
    assert_eq!(log.wait_committed(203, 10).await.unwrap().len(), 2);
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
