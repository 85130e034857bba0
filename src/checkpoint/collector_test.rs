//! Collections that meet readers and restores at the worst moment, step by step.

use std::sync::Arc;
use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_sources::clock::Clock;

use super::simulated_actors::{Process, World};
use super::{CheckpointFault, CheckpointInfo, CheckpointRequest, Collector, History, Inspector, Leader};
use crate::page_log::{Lsn, PutArgs};

/// Two checkpoints of two leaders, hours old and hours apart, each with a KEK page of its own. The sequence of the older one, which is not retained
/// any more.
async fn two_checkpoints(world: &World) -> u64 {
    let mut sequence = 0;
    for name in ["old", "new"] {
        let process = calm(world, name);
        let leader = Leader::open(process.volume.clone()).await.unwrap();
        leader.table(1).unwrap().put(1, PutArgs::full(), name).await.unwrap();
        let (info, _) = leader.checkpoint(CheckpointRequest::default()).await.unwrap();
        sequence = if sequence == 0 { info.sequence } else { sequence };
        world.store.clock().sleep(Duration::from_secs(3 * 3600)).await;
    }
    sequence
}

/// A process that keeps one checkpoint, and gets a new KEK for each.
fn calm(world: &World, name: &str) -> Process {
    let mut process = world.calm(&world.store, name);
    (process.volume.retention.checkpoints, process.volume.retention.time) = (1, Duration::ZERO);
    process
}

async fn a_second(world: &World) {
    world.store.clock().sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_restored_while_a_collection_runs_is_not_garbage() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let (restorer, collector) = (calm(&world, "restorer"), calm(&world, "collector"));
    // It has pinned the old checkpoint, and seen that it is there; the collection has looked at turtles, and not at pins.
    restorer.connection.hold(Some("put _plastron/turtle/"));
    let history = Arc::new(History::new(restorer.volume.clone()));
    let restoring = tokio::spawn(async move { history.restore(old).await });
    a_second(&world).await;
    collector.connection.hold(Some("list _plastron/pin/"));
    let collection = Collector::new(collector.volume.clone());
    let collecting = tokio::spawn(async move { collection.run().await });
    a_second(&world).await;
    restorer.connection.hold(None);
    let restored = restoring.await.unwrap().unwrap();
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
    collector.connection.hold(None);
    let report = collecting.await.unwrap().unwrap();
    assert!(report.removed_turtles > 0, "{report}");
    let process = calm(&world, "reader");
    let follower = super::Follower::open_still(process.volume.clone()).await.unwrap();
    assert_eq!(follower.checkpoint(), restored);
    assert_eq!(&follower.table(1).unwrap().get(1, Lsn::MAX).await.unwrap().records[0].bytes[..], b"old");
    let found = Inspector::new(process.volume.clone()).run().await.unwrap();
    assert!(found.is_clean(), "{:?}", found.faults);
}

/// Somebody who is about to bring `old` back, up to the create of the turtle that is `turtles` after the newest, and then sleeps.
async fn sleeping_restore(world: &World, old: u64, turtles: usize) -> Restoring {
    let process = calm(world, "restorer");
    let turtle = world.store.history().len() + turtles;
    process.connection.hold(Some(format!("put _plastron/turtle/{turtle:020}").leak()));
    let history = Arc::new(History::new(process.volume.clone()));
    let task = tokio::spawn(async move { history.restore(old).await });
    a_second(world).await;
    process.connection.hold(Some(""));
    world.store.clock().sleep(Duration::from_secs(3 * 3600)).await;
    Restoring { process, task }
}

struct Restoring {
    process: Process,
    task: tokio::task::JoinHandle<Result<CheckpointInfo, CheckpointFault>>,
}

impl Restoring {
    async fn wakes(self) -> Result<CheckpointInfo, CheckpointFault> {
        self.process.connection.hold(None);
        self.task.await.unwrap()
    }
}

/// What the newest checkpoint has, which can be read whole, as can all others.
async fn newest_page(world: &World) -> Vec<u8> {
    let process = calm(world, "reader");
    let found = Inspector::new(process.volume.clone()).all(true).run().await.unwrap();
    assert!(found.is_clean(), "{:?}", found.faults);
    let follower = super::Follower::open_still(process.volume.clone()).await.unwrap();
    let page = follower.table(1).unwrap().get(1, Lsn::MAX).await.unwrap().records[0].bytes.to_vec();
    follower.close().await;
    page
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_slept_until_its_pin_was_over_publishes_nothing() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let restoring = sleeping_restore(&world, old, 1).await;
    let collector = calm(&world, "collector");
    let report = Collector::new(collector.volume.clone()).run().await.unwrap();
    assert!(report.removed_turtles > 0 && report.removed_keks == 1, "{report}");
    let fault = restoring.wakes().await.unwrap_err();
    assert!(matches!(fault, CheckpointFault::Gone { .. }), "{fault:?}");
    assert_eq!(newest_page(&world).await, b"new");
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_a_restore_is_about_to_publish_is_held_however_long_it_takes() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let restoring = sleeping_restore(&world, old, 2).await;
    let collector = calm(&world, "collector");
    let report = Collector::new(collector.volume.clone()).run().await.unwrap();
    assert!(report.removed_turtles > 0 && (report.removed_keks, report.pins) == (0, 1), "{report}");
    let restored = restoring.wakes().await.unwrap();
    assert_eq!(restored.sequence, world.store.history().len() as u64);
    assert_eq!(newest_page(&world).await, b"old");
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_a_restore_held_is_garbage_when_somebody_else_leads() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let restoring = sleeping_restore(&world, old, 2).await;
    let later = calm(&world, "later");
    let leader = Leader::open(later.volume.clone()).await.unwrap();
    leader.table(1).unwrap().put(1, PutArgs::full(), "later").await.unwrap();
    leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    let collector = calm(&world, "collector");
    let report = Collector::new(collector.volume.clone()).run().await.unwrap();
    assert_eq!((report.removed_pins > 0, report.pins, report.removed_keks), (true, 0, 1), "{report}");
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
    let fault = restoring.wakes().await.unwrap_err();
    assert_eq!(fault.kind(), ErrorKind::Fenced, "{fault:?}");
    assert_eq!(newest_page(&world).await, b"later");
}

#[tokio::test(start_paused = true)]
async fn a_clone_whose_origin_was_collected_while_it_slept_is_not_made() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let process = calm(&world, "cloner");
    let history = Arc::new(History::new(process.volume.clone()));
    process.connection.hold(Some("put _plastron/pin/"));
    let task = tokio::spawn(async move { history.clone_to(old, "clone/").await });
    a_second(&world).await;
    // With a lease, and having seen the turtle, it sleeps before the pin that is to take the lease's place.
    for next in ["get _plastron/turtle/", "put _plastron/pin/", ""] {
        process.connection.hold(Some(next));
        a_second(&world).await;
    }
    world.store.clock().sleep(Duration::from_secs(3 * 3600)).await;
    let collector = calm(&world, "collector");
    let report = Collector::new(collector.volume.clone()).run().await.unwrap();
    assert!(report.removed_keks == 1, "{report}");
    process.connection.hold(None);
    let fault = task.await.unwrap().unwrap_err();
    assert!(matches!(fault, CheckpointFault::Gone { .. }), "{fault:?}");
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
    assert_eq!(world.store.names("clone/"), Vec::<String>::new());
    assert_eq!(newest_page(&world).await, b"new");
}

#[tokio::test(start_paused = true)]
async fn a_collector_bears_that_another_was_quicker() {
    let world = World::new(1);
    let process = calm(&world, "many");
    let leader = Leader::open(process.volume.clone()).await.unwrap();
    for round in 0..5 {
        leader.table(1).unwrap().put(round, PutArgs::full(), "many").await.unwrap();
        if round == 4 {
            leader.log().merge_indexes().await.unwrap();
        }
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    }
    assert!(!world.store.names("_plastron/index/").is_empty());
    two_checkpoints(&world).await;
    let (mut slow, quick) = (calm(&world, "slow"), calm(&world, "quick"));
    // It keeps what the other does not.
    slow.volume.retention.window = Duration::from_secs(24 * 3600);
    slow.connection.hold(Some("get _plastron/index/"));
    let collection = Collector::new(slow.volume.clone());
    let collecting = tokio::spawn(async move { collection.run().await });
    a_second(&world).await;
    let report = Collector::new(quick.volume.clone()).run().await.unwrap();
    assert!(report.removed_turtles > 0 && report.removed_runs > 0, "{report}");
    assert!(!collecting.is_finished(), "it has read turtles, and is about to read what they name");
    slow.connection.hold(None);
    collecting.await.unwrap().unwrap();
    assert_eq!(newest_page(&world).await, b"new");
}

#[tokio::test(start_paused = true)]
async fn what_is_pinned_before_its_turtle_goes_stays() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let (reader, collector) = (calm(&world, "reader"), calm(&world, "collector"));
    collector.connection.hold(Some("delete _plastron/turtle/"));
    let collection = Collector::new(collector.volume.clone());
    let collecting = tokio::spawn(async move { collection.run().await });
    a_second(&world).await;
    let follower = History::new(reader.volume.clone()).open(old).await.unwrap();
    let keks = world.store.names("_plastron/kek/");
    collector.connection.hold(None);
    let report = collecting.await.unwrap().unwrap();
    assert!(report.removed_turtles > 0 && report.pins == 1, "{report}");
    assert_eq!((world.store.names("_plastron/kek/"), keks.len()), (keks, 2));
    assert_eq!(&follower.table(1).unwrap().get(1, Lsn::MAX).await.unwrap().records[0].bytes[..], b"old");
}

#[tokio::test(start_paused = true)]
async fn whoever_pins_too_late_is_told_and_leaves_no_pin() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let (reader, collector) = (calm(&world, "reader"), calm(&world, "collector"));
    reader.connection.hold(Some("put _plastron/pin/"));
    let history = History::new(reader.volume.clone());
    let opening = tokio::spawn(async move { history.open(old).await });
    a_second(&world).await;
    assert!(Collector::new(collector.volume.clone()).run().await.unwrap().removed_keks > 0);
    reader.connection.hold(None);
    let gone = opening.await.unwrap().unwrap_err();
    assert!(matches!(gone, CheckpointFault::Gone { .. }), "{gone:?}");
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
}

/// A reader that sleeps for longer than its lease and the window must not keep what is gone half alive when it wakes: that would end every
/// collection for as long as it lives.
#[tokio::test(start_paused = true)]
async fn a_pin_of_one_who_slept_too_long_is_given_up() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let (reader, collector) = (calm(&world, "reader"), calm(&world, "collector"));
    let _sleeper = History::new(reader.volume.clone()).open(old).await.unwrap();
    reader.connection.hold(Some(""));
    world.store.clock().sleep(Duration::from_secs(3 * 3600)).await;
    let report = Collector::new(collector.volume.clone()).run().await.unwrap();
    assert!(report.removed_keks > 0 && report.removed_pins > 0, "{report}");
    reader.connection.hold(None);
    world.store.clock().sleep(Duration::from_secs(1800)).await;
    assert_eq!(world.store.names("_plastron/pin/"), Vec::<String>::new());
    Collector::new(collector.volume.clone()).run().await.unwrap();
}

/// More of them than times that anything is tried: each goes when its pin is about to be read.
#[tokio::test(start_paused = true)]
async fn readers_that_come_and_go_do_not_keep_a_collection_from_ending() {
    let world = World::new(1);
    let old = two_checkpoints(&world).await;
    let collector = calm(&world, "collector");
    let mut readers = std::collections::BTreeMap::new();
    for number in 0..20 {
        let process = calm(&world, &format!("reader {number}"));
        let reader = History::new(process.volume.clone()).open(old).await.unwrap();
        let pins = world.store.names("_plastron/pin/");
        let pin = pins.into_iter().find(|pin| !readers.contains_key(pin)).unwrap();
        readers.insert(pin, (reader, process));
    }
    let is_about_to_read = |pin: &str| collector.connection.hold(Some(format!("get {pin}").leak()));
    let pins: Vec<String> = readers.keys().cloned().collect();
    is_about_to_read(&pins[0]);
    let collection = Collector::new(collector.volume.clone());
    let collecting = tokio::spawn(async move { collection.run().await });
    a_second(&world).await;
    for (pin, next) in pins.iter().zip(&pins[1..]) {
        readers[pin].0.close().await;
        is_about_to_read(next);
        a_second(&world).await;
    }
    assert_eq!(world.store.names("_plastron/pin/"), pins[19..]);
    collector.connection.hold(None);
    let report = collecting.await.unwrap().unwrap();
    assert!(report.pins > 0 && report.removed_turtles > 0, "{report}");
    let (stays, _) = &readers[&pins[19]];
    assert_eq!(&stays.table(1).unwrap().get(1, Lsn::MAX).await.unwrap().records[0].bytes[..], b"old");
}
