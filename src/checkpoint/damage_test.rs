//! Objects that are not what was written: each is told by name, and nothing is removed or fenced because of it.

use futures::TryStreamExt;
use plastron_config::{Config, ErrorKind};
use plastron_keys::KeyManagement;
use plastron_sources::{Bucket, BucketOptions, ListOptions};

use super::{CheckpointFault, CheckpointRequest, Collector, Follower, History, Inspector, Leader, Volume};
use crate::page_log::{Lsn, PutArgs};

/// A database with two checkpoints, segments in a run and in none, a KEK page and a pin.
struct Database {
    bucket: Bucket,
    leader: Leader,
    _pinned: Follower,
}

impl Database {
    async fn new() -> Self {
        let bucket = Bucket::open(BucketOptions::parse("source=memory_store").unwrap()).await.unwrap();
        let leader = Leader::open(volume(&bucket).await).await.unwrap();
        for page in 0..40 {
            leader.table(1).unwrap().put(page, PutArgs::full(), vec![page as u8; 300]).await.unwrap();
        }
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
        leader.log().merge_indexes().await.unwrap();
        leader.table(1).unwrap().put(7, PutArgs::full(), "in no run").await.unwrap();
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
        let _pinned = Follower::open_still(volume(&bucket).await).await.unwrap();
        Self { bucket, leader, _pinned }
    }

    /// The last object whose name begins so.
    async fn last(&self, prefix: &str) -> String {
        let entries = self.bucket.system().list(prefix, ListOptions::default());
        let objects = entries.try_filter_map(|entry| std::future::ready(Ok(entry.into_object())));
        let names: Vec<String> = objects.map_ok(|object| object.name).try_collect().await.unwrap();
        names.into_iter().next_back().unwrap()
    }

    /// Puts another object in the place of `name`, so that only the format itself can tell.
    async fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let system = self.bucket.system();
        let mut bytes = system.get(name).await.unwrap().1.to_vec();
        change(&mut bytes);
        system.delete(name).await.unwrap();
        system.put(name, bytes).await.unwrap();
    }
}

async fn volume(bucket: &Bucket) -> Volume {
    let mut volume = Volume::new(bucket.clone(), "test");
    volume.keys = KeyManagement::open(&Config::parse("name=mock").unwrap()).await.unwrap();
    volume.page_log.segment_size = 4 << 10;
    volume.page_log.background = false;
    volume
}

fn names_it(fault: &CheckpointFault, name: &str) {
    assert!(fault.kind() == ErrorKind::Corrupt && fault.to_string().contains(name), "{name}: {fault}");
}

/// Reads everything, as a follower does.
async fn read_all(bucket: &Bucket) -> Result<(), CheckpointFault> {
    let follower = Follower::open_still(volume(bucket).await).await?;
    for page in 0..40 {
        follower.table(1)?.get(page, Lsn::MAX).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_tampered_kek_page_or_turtle_is_told_before_anybody_is_fenced() {
    for prefix in ["_plastron/kek/", "_plastron/turtle/"] {
        let size = {
            let database = Database::new().await;
            let name = database.last(prefix).await;
            database.bucket.system().get(&name).await.unwrap().1.len()
        };
        for at in [0, 4, 13, 20, size / 2, size - 1] {
            let database = Database::new().await;
            let name = database.last(prefix).await;
            database.damage(&name, |bytes| bytes[at] ^= 0x40).await;
            names_or_newer(&Leader::open(volume(&database.bucket).await).await.unwrap_err(), &name);
            names_or_newer(&Follower::open_still(volume(&database.bucket).await).await.unwrap_err(), &name);
            assert!(!database.leader.is_fenced().await.is_ok_and(|fenced| fenced));
            let inspected = Inspector::new(volume(&database.bucket).await).run().await.unwrap();
            assert!(
                inspected.faults.iter().any(|fault| fault.to_string().contains(&name)),
                "{name} at {at}: {inspected}"
            );
        }
    }
}

/// A version field says that it is a newer one, which is no damage.
fn names_or_newer(fault: &CheckpointFault, name: &str) {
    let kind = matches!(fault.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
    assert!(kind && fault.to_string().contains(name), "{name}: {fault}");
}

#[tokio::test]
async fn a_tampered_segment_or_index_run_is_told_by_readers_and_inspections() {
    for prefix in ["_plastron/log/", "_plastron/index/"] {
        let database = Database::new().await;
        let name = database.last(prefix).await;
        let size = database.bucket.system().get(&name).await.unwrap().1.len();
        for at in (0..size).step_by(size / 16 + 1).chain([size - 1]) {
            database.damage(&name, |bytes| bytes[at] ^= 1).await;
            let found = Inspector::new(volume(&database.bucket).await).all(true).run().await.unwrap();
            assert!(!found.is_clean(), "{name} at {at}");
            names_it(&found.faults[0], &name);
            if let Err(fault) = read_all(&database.bucket).await {
                names_it(&fault, &name);
            }
            database.damage(&name, |bytes| bytes[at] ^= 1).await;
        }
        assert!(Inspector::new(volume(&database.bucket).await).all(true).run().await.unwrap().is_clean());
        // Cut off, and gone.
        database.damage(&name, |bytes| bytes.truncate(size - 1)).await;
        let found = Inspector::new(volume(&database.bucket).await).all(true).run().await.unwrap();
        assert!(found.faults.iter().all(|fault| fault.to_string().contains(&name)) && !found.is_clean());
        database.bucket.system().delete(&name).await.unwrap();
        let found = Inspector::new(volume(&database.bucket).await).all(true).run().await.unwrap();
        assert!(!found.is_clean() && found.faults.iter().all(|fault| fault.to_string().contains(&name)));
    }
}

#[tokio::test]
async fn a_tampered_pin_or_turtle_keeps_garbage_from_being_removed() {
    for prefix in ["_plastron/pin/", "_plastron/turtle/"] {
        let database = Database::new().await;
        let name = database.last(prefix).await;
        database.damage(&name, |bytes| *bytes.last_mut().unwrap() ^= 1).await;
        let mut eager = volume(&database.bucket).await;
        eager.retention.window = std::time::Duration::ZERO;
        names_it(&Collector::new(eager).run().await.unwrap_err(), &name);
        let found = Inspector::new(volume(&database.bucket).await).run().await.unwrap();
        assert!(found.faults.iter().any(|fault| fault.to_string().contains(&name)), "{found}");
    }
}

/// A fenced leader may leave a turtle behind whose number was removed: it is part of no history, wherever it stands.
#[tokio::test]
async fn an_orphan_below_the_history_is_no_checkpoint() {
    let bucket = Bucket::open(BucketOptions::parse("source=memory_store").unwrap()).await.unwrap();
    let mut eager = volume(&bucket).await;
    (eager.retention.checkpoints, eager.retention.time) = (1, std::time::Duration::ZERO);
    eager.retention.window = std::time::Duration::ZERO;
    let leader = Leader::open(eager.clone()).await.unwrap();
    leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    let orphan = bucket.system().get("_plastron/turtle/00000000000000000002.turtle").await.unwrap().1;
    for page in 0..4 {
        leader.table(1).unwrap().put(page, PutArgs::full(), "text").await.unwrap();
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    }
    assert!(leader.collect(false).await.unwrap().removed_turtles >= 5);
    bucket.system().put("_plastron/turtle/00000000000000000002.turtle", orphan).await.unwrap();
    let history = History::new(eager.clone());
    assert_eq!(history.list().await.unwrap().len(), 1);
    for refused in [history.get(2).await.map(drop), history.open(2).await.map(drop), history.restore(2).await.map(drop)]
    {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let found = Inspector::new(eager.clone()).all(true).run().await.unwrap();
    assert!(found.is_clean(), "{:?}", found.faults);
    assert_eq!(leader.collect(false).await.unwrap().removed_turtles, 1);
}
