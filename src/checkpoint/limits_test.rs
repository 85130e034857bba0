//! Arguments at the edges of what can be, and buckets that are slow or down.

use std::time::Duration;

use bytes::Bytes;
use plastron_config::ErrorKind;
use plastron_registry::MAX_METADATA_BYTES;
use plastron_sources::clock::Clock;
use tokio::time::timeout;

use super::simulated_actors::World;
use super::{CheckpointInfo, CheckpointRequest, Completion, Follower, Inspector, KEK_TABLE, Leader, TURTLE_TABLE};
use crate::page_log::{Lsn, MAX_CHAIN, PageLogFault, PutArgs};

async fn checkpoint(leader: &Leader) -> CheckpointInfo {
    leader.checkpoint(CheckpointRequest::default()).await.unwrap().0
}

#[tokio::test(start_paused = true)]
async fn ids_at_the_edges_come_back_from_segments_and_runs() {
    let world = World::new(3);
    let process = world.calm(&world.store, "leader");
    let leader = Leader::open(process.volume.clone()).await.unwrap();
    let edges = [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX];
    let tables = [0, 1, TURTLE_TABLE - 1];
    for (table, page) in tables.into_iter().flat_map(|table| edges.map(|page| (table, page))) {
        let handle = leader.table(table).unwrap();
        let base = handle.put(page, PutArgs::full(), table.to_le_bytes().to_vec()).await.unwrap();
        handle.put(page, PutArgs::delta(base, base), page.to_le_bytes().to_vec()).await.unwrap();
    }
    let follower_process = world.calm(&world.store, "follower");
    checkpoint(&leader).await;
    let follower = Follower::open_still(follower_process.volume.clone()).await.unwrap();
    for merged in [false, true] {
        for (table, page) in tables.into_iter().flat_map(|table| edges.map(|page| (table, page))) {
            let chain = follower.table(table).unwrap().get(page, Lsn::MAX).await.unwrap();
            let bytes: Vec<Bytes> = chain.records.iter().map(|record| record.bytes.clone()).collect();
            let expected = [table, page].map(|number| Bytes::from(number.to_le_bytes().to_vec()));
            assert_eq!(bytes, expected, "page {page} of table {table}, merged: {merged}");
            assert_eq!(follower.table(table).unwrap().page_ids(Lsn::MAX).await.unwrap(), edges);
        }
        leader.log().merge_indexes().await.unwrap();
        checkpoint(&leader).await;
        follower.advance().await.unwrap();
    }
    assert!(Inspector::new(process.volume.clone()).all(true).run().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let world = World::new(3);
    let process = world.calm(&world.store, "leader");
    let leader = Leader::open(process.volume.clone()).await.unwrap();
    let table = leader.table(1).unwrap();
    let full = table.put(1, PutArgs::full(), "full").await.unwrap();
    let invalid = |fault: PageLogFault| assert_eq!(fault.kind(), ErrorKind::Invalid, "{fault}");
    // Deltas without a base, or on what nobody has.
    let future = Lsn::new(u64::MAX);
    for args in [
        PutArgs::delta(Lsn::NONE, Lsn::NONE),
        PutArgs::delta(Lsn::NONE, full),
        PutArgs::delta(future, future),
        PutArgs::delta(full, future),
        PutArgs::delta(full, Lsn::new(full.get() - 1)),
        PutArgs::full().backlink(future),
    ] {
        invalid(table.put(1, args, "delta").await.unwrap_err());
    }
    invalid(table.put(2, PutArgs::delta(full, full), "of another page").await.unwrap_err());
    // Chains of as many as may be, and of one more; that which is in the bucket is found when it is read.
    let mut last = full;
    for _ in 1..MAX_CHAIN {
        last = table.put(1, PutArgs::delta(full, last), "delta").await.unwrap();
    }
    assert_eq!((MAX_CHAIN, table.get(1, last).await.unwrap().records.len()), (33, 33));
    invalid(table.put(1, PutArgs::delta(full, last), "one more").await.unwrap_err());
    checkpoint(&leader).await;
    assert_eq!(table.get(1, last).await.unwrap().records.len(), 33);
    // Tables and LSNs that nobody knows.
    assert_eq!(leader.table(99).unwrap().get(1, Lsn::MAX).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(leader.table(99).unwrap().page_ids(Lsn::MAX).await.unwrap(), Vec::<u64>::new());
    assert_eq!(table.get(1, Lsn::NONE).await.unwrap_err().kind(), ErrorKind::NotFound);
    let follower_process = world.calm(&world.store, "follower");
    let follower = Follower::open_still(follower_process.volume.clone()).await.unwrap();
    for lsn in [Lsn::new(u64::MAX - 1), Lsn::new(follower.checkpoint().lsn.get() + 1)] {
        let begun = world.store.clock().monotonic();
        let late = follower.table(1).unwrap().get_within(1, lsn, Duration::from_secs(3)).await.unwrap_err();
        assert!(matches!(late, PageLogFault::NotYet { .. }) && late.is_retryable(), "{late}");
        assert!(world.store.clock().monotonic() - begun >= Duration::from_secs(3), "virtual time, so exact");
        assert!(follower.wait_for(lsn, Duration::from_secs(3)).await.unwrap_err().is_retryable());
    }
    // Trims of the future and of nothing.
    for start in [Lsn::NONE, future, Lsn::new(leader.log().last_lsn().get() + 2)] {
        invalid(leader.log().trim_table(1, start).await.unwrap_err());
    }
    // Plastron's own tables.
    for own in [KEK_TABLE, TURTLE_TABLE] {
        assert_eq!(leader.table(own).unwrap_err().kind(), ErrorKind::Invalid);
        // Nor by way of the log itself; whoever wants to may read them.
        let past = leader.log().table(own);
        invalid(past.put(1, PutArgs::full(), "not a KEK page").await.unwrap_err());
        invalid(past.discard(1, Lsn::NONE).await.unwrap_err());
        invalid(leader.log().trim_table(own, full).await.unwrap_err());
        assert_eq!(past.get(1, Lsn::MAX).await.unwrap().records.len(), 1);
        assert_eq!(follower.table(own).unwrap_err().kind(), ErrorKind::Invalid);
    }
    // Checkpoints that cannot be: the one before stays, and the next one is none the worse.
    let completed = leader.completed().await;
    let requests = [
        CheckpointRequest::new(future),
        CheckpointRequest::new(Lsn::new(leader.log().last_lsn().get() + 1)),
        CheckpointRequest::default().engine_metadata(vec![0; MAX_METADATA_BYTES + 1]),
    ];
    for request in requests {
        assert_eq!(leader.checkpoint(request).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let completion = Completion { turtle_page_lsn: future, ..Completion::default() };
    assert_eq!(leader.complete_checkpoint(completion).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!((leader.completed().await, follower.advance().await.unwrap()), (completed, None));
    let most = CheckpointRequest::default().engine_metadata(vec![1; MAX_METADATA_BYTES]);
    let (info, _) = leader.checkpoint(most).await.unwrap();
    assert_eq!(follower.advance().await.unwrap().as_ref(), Some(&info));
    assert_eq!(info.engine_metadata.len(), MAX_METADATA_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_down_makes_puts_wait_and_then_every_call_says_why() {
    for comes_back in [true, false] {
        let world = World::new(3);
        let process = world.calm(&world.store, "leader");
        let leader = Leader::open(process.volume.clone()).await.unwrap();
        let table = leader.table(1).unwrap();
        table.put(1, PutArgs::full(), "before").await.unwrap();
        let before = checkpoint(&leader).await;
        process.connection.set_down(true);
        let memory = process.volume.page_log.memory;
        let mut accepted = 0_u64;
        while timeout(Duration::from_secs(60), table.put(2 + accepted, PutArgs::full(), vec![7; 1000])).await.is_ok() {
            accepted += 1;
            assert!(leader.log().stats().waiting_bytes <= memory);
        }
        assert!(accepted > 4 && accepted < memory / 1000, "{accepted} puts");
        assert_eq!(leader.log().durable_lsn().get(), before.lsn.get(), "nothing is durable");
        if comes_back {
            let waiting = table.put(1000, PutArgs::full(), "waits");
            let back = async {
                world.store.clock().sleep(Duration::from_secs(60)).await;
                process.connection.set_down(false);
            };
            tokio::join!(waiting, back).0.unwrap();
            checkpoint(&leader).await;
            let follower_process = world.calm(&world.store, "follower");
            let follower = Follower::open_still(follower_process.volume.clone()).await.unwrap();
            let ids = follower.table(1).unwrap().page_ids(Lsn::MAX).await.unwrap();
            assert_eq!(ids.len() as u64, accepted + 2);
            continue;
        }
        // It is tried for so long, and then given up: told at once by everything that writes.
        let failed = table.put(1000, PutArgs::full(), "waits").await.unwrap_err();
        let object = "_plastron/log/00000000000000000001-";
        let told = |fault: &dyn std::fmt::Display| assert!(fault.to_string().contains(object), "{fault}");
        assert!(matches!(&failed, PageLogFault::Failed { kind: ErrorKind::Unavailable, .. }), "{failed}");
        told(&failed);
        told(&table.put(1001, PutArgs::full(), "no more").await.unwrap_err());
        told(&leader.log().flush_now(leader.log().last_lsn()).await.unwrap_err());
        told(&leader.checkpoint(CheckpointRequest::default()).await.unwrap_err());
        told(&leader.abandon_checkpoint().await.unwrap_err());
        assert_eq!(leader.completed().await, Some(before.clone()));
        // The next one goes on from what was acknowledged.
        process.connection.set_down(false);
        let next_process = world.calm(&world.store, "next");
        let next = Leader::open(next_process.volume.clone()).await.unwrap();
        assert_eq!(next.table(1).unwrap().page_ids(Lsn::MAX).await.unwrap(), [1]);
    }
}
