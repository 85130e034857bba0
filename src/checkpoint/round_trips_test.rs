//! What a checkpoint waits for: requests one after the other, counted by virtual time in which each takes exactly a second.

use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_sources::clock::Clock;

use super::simulated_actors::{WINDOW, World};
use super::{CheckpointRequest, Collector, Leader};
use crate::page_log::PutArgs;

/// Segments and KEK object at once, the turtle object, and the look above it.
const TRIPS: u32 = 3;
const TRIP: Duration = Duration::from_secs(1);

/// How many requests one after the other a checkpoint waits for, with so many pages since the last one.
async fn trips(world: &World, leader: &Leader, pages: u64) -> f64 {
    let table = leader.table(1).unwrap();
    for page in 0..pages {
        table.put(page, PutArgs::full(), vec![page as u8; 1000]).await.unwrap();
    }
    let begun = world.store.clock().monotonic();
    leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    (world.store.clock().monotonic() - begun).as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_waits_for_two_round_trips_and_a_look_whatever_its_size() {
    // Seeds of which the key stays, is another one for every checkpoint, and is another one after 15 minutes.
    for seed in 0..3 {
        let world = World::new(seed);
        let mut process = world.calm(&world.store, "leader");
        // A segment has four of these pages. All of them may be on their way at once: how many is a matter of memory and bandwidth.
        (process.volume.page_log.uploads, process.volume.page_log.memory) = (1000, 64 << 20);
        let leader = Leader::open(process.volume.clone()).await.unwrap();
        process.connection.set_slow(TRIP);
        for pages in [0, 1, 3, 50, 2000] {
            let counted = trips(&world, &leader, pages).await;
            assert_eq!(counted, f64::from(TRIPS), "{pages} pages with seed {seed}");
        }
    }
}

/// A leader's next number can have been taken and be free again only if garbage was collected, which spares what is younger than the window. So
/// it is one that slept for longer who needs the look above its turtle; one that did not finds the number taken. Nobody skips the look
/// nevertheless: the window is counted by the collectors' clocks, and may be 0.
#[tokio::test(start_paused = true)]
async fn only_who_slept_for_longer_than_the_window_needs_the_look_above_its_turtle() {
    for (slept, needed) in [(WINDOW / 2, false), (WINDOW * 2, true)] {
        let world = World::new(3);
        let first_process = world.calm(&world.store, "first");
        let first = Leader::open(first_process.volume.clone()).await.unwrap();
        first.checkpoint(CheckpointRequest::default()).await.unwrap();
        let mut second_process = world.calm(&world.store, "second");
        let retention = &mut second_process.volume.retention;
        (retention.checkpoints, retention.time) = (1, Duration::ZERO);
        let second = Leader::open(second_process.volume.clone()).await.unwrap();
        for page in 0..3 {
            second.table(1).unwrap().put(page, PutArgs::full(), "on top of it").await.unwrap();
            second.checkpoint(CheckpointRequest::default()).await.unwrap();
        }
        world.store.clock().sleep(slept).await;
        let report = Collector::new(second_process.volume.clone()).run().await.unwrap();
        assert_eq!(report.removed_turtles > 0, needed, "{report}");
        let fenced = first.checkpoint(CheckpointRequest::default()).await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced, "{fenced}");
        // Whether its create went through, so that nothing but the look has stopped it.
        assert_eq!(world.store.orphans(), u64::from(needed), "after {slept:?}");
        second.checkpoint(CheckpointRequest::default()).await.unwrap();
        assert!(world.store.violations().is_empty(), "{:?}", world.store.violations());
    }
}
