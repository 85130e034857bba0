//! The known traps, one by one.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::testing::{Role, SimStore};
use crate::error::Fault;
use crate::{Acquired, CheckpointRegistry, ErrorKind, Leadership, TurtleObject};

/// A store that behaves, and its registry.
fn calm() -> (Arc<SimStore>, super::BucketRegistry) {
    let store = SimStore::new(1, false);
    let registry = store.registry(Role::Leader);
    (store, registry)
}

async fn leader(registry: &super::BucketRegistry, owner: &str) -> Leadership {
    Leadership::open(Arc::new(registry.clone()), owner).await.unwrap()
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_stalled_leader_whose_next_number_was_removed_is_fenced_and_leaves_nothing() {
    let (store, registry) = calm();
    let mut first = leader(&registry, "first").await;
    first.publish(text("a")).await.unwrap();
    let mut second = leader(&registry, "second").await;
    for content in ["b", "c", "d"] {
        second.publish(text(content)).await.unwrap();
    }
    // 1 and 2 are the first's, 3 was the takeover.
    (1..=5).for_each(|sequence| store.take(sequence));
    let error = first.publish(text("lost")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let message = "commit _plastron/turtle/00000000000000000003.turtle: fenced: 'second' took over with epoch 2, so the leader of epoch 1";
    assert!(error.to_string().starts_with(message), "{error}");
    assert_eq!((store.numbers(), store.orphans()), (vec![6], 1));
    // For good, and without asking.
    let requests = store.requests();
    assert_eq!(first.publish(text("lost")).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(store.requests(), requests);
    assert_eq!(registry.read().await.unwrap().unwrap().content, text("d"));
    second.publish(text("e")).await.unwrap();
    assert!(store.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_successor_built_on_is_no_orphan() {
    let (store, registry) = calm();
    let Acquired { fence, version, .. } = registry.acquire("first").await.unwrap();
    let version = registry.commit(&fence, &version, text("a")).await.unwrap();
    // The answer to the next commit is lost; the successor finds it.
    let (sequence, previous, content) = (version.sequence + 1, version.checksum, Some(text("b")));
    let (epoch, writer, opened_at, owner) = (fence.epoch, fence.writer, fence.opened_at, Arc::clone(&fence.owner));
    let lost = TurtleObject { sequence, epoch, opened_at, writer, owner, previous, content };
    store.plant(sequence, lost.encode().unwrap().0);
    let second = registry.acquire("second").await.unwrap();
    assert_eq!((second.content, second.version.sequence), (Some(text("b")), 4));
    // The first asks again: it is fenced, and its turtle stays.
    let error = registry.commit(&fence, &version, text("b")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(store.numbers(), [1, 2, 3, 4]);
    assert_eq!(registry.turtle(3).await.unwrap().unwrap().content, text("b"));
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_comes_too_late_is_taken_back() {
    let (store, registry) = calm();
    let mut first = leader(&registry, "first").await;
    for content in ["a", "b", "c", "d"] {
        first.publish(text(content)).await.unwrap();
    }
    store.take(3);
    // Somebody read turtle 2, and slept.
    let old = TurtleObject {
        sequence: 3,
        epoch: 2,
        opened_at: 3,
        writer: 7,
        owner: Arc::from("late"),
        previous: first.version().checksum,
        content: Some(text("a")),
    };
    let fault = registry.publish(&old).await.unwrap_err();
    assert!(matches!(fault, Fault::Conflict { base: 2, newest: 5 }), "{fault:?}");
    assert_eq!(store.numbers(), [1, 2, 4, 5]);
    // The leader, of a lower epoch, goes on.
    assert_eq!(first.publish(text("e")).await.unwrap().sequence, 6);
}

#[tokio::test(start_paused = true)]
async fn orphans_are_told_from_turtles() {
    let (store, registry) = calm();
    let mut first = leader(&registry, "first").await;
    for content in ["a", "b"] {
        first.publish(text(content)).await.unwrap();
    }
    let orphan = TurtleObject {
        sequence: 2,
        epoch: 1,
        opened_at: 1,
        writer: 9,
        owner: Arc::from("dead"),
        previous: 1,
        content: Some(text("x")),
    };
    store.take(2);
    store.plant(2, orphan.encode().unwrap().0);
    let error = registry.turtle(2).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Orphan { sequence: 2 }) && error.kind() == ErrorKind::NotFound);
    assert_eq!(registry.turtle(1).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(registry.turtle(3).await.unwrap().unwrap().content, text("b"));
    assert!(matches!(registry.turtle(4).await.unwrap_err().fault(), Fault::NoSuchTurtle { sequence: 4 }));
    let listed: Vec<_> = registry.turtles().map_ok(|turtle| turtle.sequence).try_collect().await.unwrap();
    assert_eq!(listed, [1, 2, 3]);
    // All at once it is said of each what is said of it alone, from one listing and with one request for each that is no orphan.
    let listed: Vec<_> = registry.turtles().try_collect().await.unwrap();
    for at_once in [1, 8] {
        let before = store.requests();
        let read: Vec<_> = registry.read_back(&listed, at_once).collect().await;
        assert_eq!(store.requests() - before, 3);
        let sequences: Vec<_> = read.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, [3, 2, 1]);
        for (sequence, read) in read {
            match (read, registry.turtle(sequence).await) {
                (Ok(one), Ok(other)) => assert_eq!(one, other),
                (one, other) => assert_eq!(one.unwrap_err().to_string(), other.unwrap_err().to_string()),
            }
        }
    }
    // GC may take all but the newest, once.
    assert!(registry.remove(2).await.unwrap() && !registry.remove(2).await.unwrap());
    for sequence in [3, 4, u64::MAX - 1] {
        assert!(matches!(registry.remove(sequence).await.unwrap_err().fault(), Fault::Newest { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn turtles_that_go_while_all_are_read_are_gone_and_take_no_other_with_them() {
    let (store, registry) = calm();
    let mut first = leader(&registry, "first").await;
    for content in ["a", "b", "c", "d", "e"] {
        first.publish(text(content)).await.unwrap();
    }
    let listed: Vec<_> = registry.turtles().try_collect().await.unwrap();
    // GC removes the oldest first.
    (1..=3).for_each(|sequence| store.take(sequence));
    let read: Vec<_> = registry.read_back(&listed, 2).collect().await;
    let there: Vec<_> = read.iter().filter(|(_, read)| read.is_ok()).map(|(sequence, _)| *sequence).collect();
    assert_eq!((read.len(), there), (6, vec![6, 5, 4]));
    assert!(matches!(read[3].1.as_ref().unwrap_err().fault(), Fault::NoSuchTurtle { sequence: 3 }));
    assert!(matches!(read[4].1.as_ref().unwrap_err().fault(), Fault::NoSuchTurtle { sequence: 2 }));
    // What stands below a gap is not even read.
    store.plant(2, text("whatever it is, as long as a turtle"));
    let listed: Vec<_> = registry.turtles().try_collect().await.unwrap();
    let before = store.requests();
    let read: Vec<_> = registry.read_back(&listed, 2).collect().await;
    assert_eq!((read.len(), store.requests() - before), (4, 3));
    assert!(matches!(read[3].1.as_ref().unwrap_err().fault(), Fault::Orphan { sequence: 2 }));
    assert!(registry.read_back(&[], 8).next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn damage_is_named_and_stops_a_takeover() {
    let (store, registry) = calm();
    leader(&registry, "first").await;
    let (bytes, _) = TurtleObject::decode(&store.history()[0]).map(|(object, _)| object.encode().unwrap()).unwrap();
    let mut damaged = bytes.to_vec();
    damaged[30] ^= 1;
    store.plant(2, damaged.into());
    for error in [registry.acquire("second").await.unwrap_err(), registry.read().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("_plastron/turtle/00000000000000000002.turtle: corrupt at byte"), "{error}");
    }
    // Another turtle in its place.
    store.plant(2, bytes);
    let error = registry.read().await.unwrap_err();
    assert!(
        error.to_string().ends_with("corrupt at byte 16: it says that it is turtle 1, and stands in the place of 2"),
        "{error}"
    );
    let mut newer = store.history()[0].to_vec();
    newer[8] = 2;
    store.plant(2, newer.into());
    assert_eq!(registry.acquire("second").await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(store.numbers(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_requests_are_as_few_as_is_said() {
    let (store, registry) = calm();
    let count = |before: u64| store.requests() - before;
    let mut first = leader(&registry, "first").await;
    // List, create, list.
    assert_eq!(count(0), 3);
    let before = store.requests();
    first.publish(text("a")).await.unwrap();
    assert_eq!(count(before), 2);
    let before = store.requests();
    registry.read().await.unwrap();
    assert_eq!(count(before), 2);
}
