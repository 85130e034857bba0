//! Probes of stores that don't keep their promises.

use plastron_config::ErrorKind;

use super::{ProbeCheck, ProbeOutcome, ProbeReport};
use crate::bucket::Bucket;
use crate::options::{BucketOptions, ProbeMode};
use crate::source::Provider;
use crate::testing::{Fate, FaultyStore, Op, bucket_over, busy, open_over, options};

async fn open_probed(store: &FaultyStore, probe: ProbeMode) -> crate::Result<Bucket> {
    let mut options = options();
    options.probe = probe;
    open_over(store, options).await
}

#[tokio::test]
async fn a_sound_store_passes_and_nothing_is_left() {
    for store in [FaultyStore::new(), FaultyStore::streaming()] {
        let bucket = open_probed(&store, ProbeMode::Start).await.unwrap();
        assert!(store.count(Op::Put) > 0);
        assert_eq!(store.keys().await, [""; 0]);
        let report = bucket.probe().await;
        assert!(report.holds(), "{report}");
        assert_eq!(report.rows.iter().map(|row| row.check).collect::<Vec<_>>(), ProbeCheck::ALL);
        assert_eq!((store.keys().await, store.open_uploads()), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditional_creates_is_refused() {
    for (op, words) in [(Op::Put, "condition of a create"), (Op::Complete, "completes an upload in parts")] {
        let store = FaultyStore::new();
        store.judge(move |found, _, _| if found == op { Fate::Overwrite } else { Fate::Go });
        let error = open_probed(&store, ProbeMode::Start).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(words), "{error}");
        // With probe=first_write it opens, and the first write is refused.
        let bucket = open_probed(&store, ProbeMode::FirstWrite).await.unwrap();
        let error = bucket.put("a", "data").await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!((store.keys().await, store.open_uploads()), (Vec::new(), 0));
        let report = bucket.probe().await;
        let check = if op == Op::Put { ProbeCheck::ConditionalCreate } else { ProbeCheck::MultipartCreate };
        let row = report.row(check).unwrap();
        assert_eq!(row.outcome, ProbeOutcome::Failed);
        assert!(row.why.contains(words), "{}", row.why);
        assert_eq!(report.row(ProbeCheck::List).unwrap().outcome, ProbeOutcome::Ok);
        assert!(!report.holds());
        assert_eq!(store.keys().await, [""; 0]);
    }
}

#[tokio::test]
async fn the_proof_is_made_once_and_again_after_a_failure() {
    let store = FaultyStore::new();
    let bucket = open_probed(&store, ProbeMode::FirstWrite).await.unwrap();
    assert_eq!(store.count(Op::Put), 0);
    store.once(Op::Put, 0, Fate::Fail(busy()));
    assert_eq!(bucket.put("a", "data").await.unwrap_err().kind(), ErrorKind::Unavailable);
    bucket.put("a", "data").await.unwrap();
    let puts = store.count(Op::Put);
    bucket.put("b", "data").await.unwrap();
    assert_eq!(store.count(Op::Put), puts + 1);
}

#[tokio::test]
async fn each_broken_promise_has_its_row() {
    for (op, fate, check) in [
        (Op::Get, Fate::Flip as fn(usize) -> Fate, ProbeCheck::Ranges),
        (Op::List, |_| Fate::Reversed, ProbeCheck::List),
        (Op::Delete, |_| Fate::Fail(busy()), ProbeCheck::Delete),
        (Op::Begin, |_| Fate::Fail(busy()), ProbeCheck::MultipartCreate),
        (Op::Head, |_| Fate::Fail(busy()), ProbeCheck::UserMetadata),
    ] {
        let store = FaultyStore::new();
        let bucket = bucket_over(&store).await;
        // The proof of creation reads the object whole; the reads of ranges are broken.
        store.judge(
            move |found, _, count| if found == op && (op != Op::Get || count >= 1) { fate(0) } else { Fate::Go },
        );
        let report = bucket.probe().await;
        assert_eq!(report.row(check).unwrap().outcome, ProbeOutcome::Failed, "{report}");
        assert!(report.to_string().contains("failed"));
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_open_is_a_row_too() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let gone = || object_store::Error::NotFound { path: String::new(), source: "gone".into() };
    store.judge(move |_, _, _| Fate::Fail(gone()));
    let report = bucket.probe().await;
    assert_eq!(report.row(ProbeCheck::Credentials).unwrap().outcome, ProbeOutcome::Ok);
    assert_eq!(report.row(ProbeCheck::Existence).unwrap().outcome, ProbeOutcome::Failed);
    assert_eq!(report.row(ProbeCheck::Delete).unwrap().outcome, ProbeOutcome::Skipped);
    let mut options = BucketOptions::new(Provider::Dir, "");
    options.part_size = 1;
    let report = ProbeReport::of(options).await;
    assert_eq!(report.row(ProbeCheck::Credentials).unwrap().outcome, ProbeOutcome::Failed, "{report}");
    assert_eq!(report.rows.len(), ProbeCheck::ALL.len());
}

#[tokio::test]
async fn a_probe_that_is_dropped_cleans_up() {
    let store = FaultyStore::new();
    let bucket = open_probed(&store, ProbeMode::FirstWrite).await.unwrap();
    store.judge(|op, _, _| if op == Op::Get { Fate::Hang } else { Fate::Go });
    tokio::select! {
        _ = bucket.put("a", "data") => panic!("it should hang"),
        () = async { while store.count(Op::Get) == 0 { tokio::task::yield_now().await } } => {}
    }
    bucket.close().await;
    assert_eq!(store.keys().await, [""; 0]);
}
