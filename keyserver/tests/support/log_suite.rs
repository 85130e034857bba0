//! The suite that every replicated log passes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plastron_keyserver::ErrorKind;
use plastron_keyserver::log::{Committed, ReplicatedLog};

/// Passed by a log that is empty.
pub(crate) async fn suite(log: Arc<dyn ReplicatedLog>) {
    // Nothing yet: it waits, and giving up waiting does no harm.
    assert!(tokio::time::timeout(Duration::from_millis(20), log.wait_committed(0, 10)).await.is_err());
    let waiting = tokio::spawn({
        let log = Arc::clone(&log);
        async move { log.wait_committed(0, 10).await.unwrap() }
    });
    log.propose(Bytes::from_static(b"one")).await.unwrap();
    let first = waiting.await.unwrap();
    assert_eq!((first.len(), &first[0].entry[..]), (1, &b"one"[..]));
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
    let first = first[0].index;
    let all = read(&*log, first, 200, 1000).await;
    assert!(all.iter().zip(all.iter().skip(1)).all(|(one, next)| one.index < next.index) && all[0].index > first);
    let mut entries: Vec<_> = all.iter().map(|entry| entry.entry.to_vec()).collect();
    entries.sort();
    assert!(entries.into_iter().eq((0..200_u32).map(|number| number.to_be_bytes().to_vec())));
    assert_eq!(read(&*log, first, 200, 7).await, all);
    // From the middle, and from where somebody else is.
    assert_eq!(log.wait_committed(all[99].index, 1).await.unwrap(), all[100..101]);
    assert_eq!(log.wait_committed(all[49].index, 1).await.unwrap(), all[50..51]);
    // The same bytes twice are two entries.
    let last = all[199].index;
    log.propose(Bytes::from_static(b"one")).await.unwrap();
    let again = log.wait_committed(last, 10).await.unwrap();
    assert_eq!((again.len(), &again[0].entry[..]), (1, &b"one"[..]));
    // What was truncated is missed by who asks for it, and by nobody else.
    log.truncate(all[100].index).await.unwrap();
    assert_eq!(log.wait_committed(all[99].index, 10).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(log.wait_committed(all[100].index, 1).await.unwrap(), all[101..102]);
    log.truncate(all[50].index).await.unwrap();
    assert_eq!(log.wait_committed(all[100].index, 1).await.unwrap(), all[101..102]);
    assert_eq!(log.wait_committed(all[99].index, 10).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Too large, and nothing happens.
    let error = log.propose(Bytes::from(vec![0; 1 << 20])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // The largest, and the smallest.
    let largest = Bytes::from(vec![7; plastron_keyserver::proto::MAX_LOG_ENTRY_BYTES]);
    log.propose(largest.clone()).await.unwrap();
    log.propose(Bytes::new()).await.unwrap();
    let both = read(&*log, again[0].index, 2, 10).await;
    assert_eq!((&both[0].entry, both[1].entry.len()), (&largest, 0));
}

/// `count` entries behind `after`, read in portions.
pub(crate) async fn read(log: &dyn ReplicatedLog, mut after: u64, count: usize, portion: usize) -> Vec<Committed> {
    let mut all = Vec::new();
    while all.len() < count {
        let entries = log.wait_committed(after, portion).await.unwrap();
        assert!(!entries.is_empty() && entries.len() <= portion);
        after = entries.last().unwrap().index;
        all.extend(entries);
    }
    assert_eq!(all.len(), count);
    all
}
