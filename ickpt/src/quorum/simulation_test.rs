//! Several clients on one group, in virtual time: messages that are late or lost, partitions, power that fails, disks that are lost and
//! reseeded. Every history is checked, and the three unsafe ways of the design are caught.
//!
//! `PLASTRON_SEEDS=10000 cargo test -p plastron-ickpt simulation` runs so many seeds for groups of 3 and of 5 each, from `PLASTRON_SEED` on; a failure names
//! its seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use plastron_sources::clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use super::linearizable::{Event, MAX_EVENTS, Operation, is_linearizable};
use super::sim_instance::{Flaw, World};
use super::{Quorum, QuorumOptions, Swap};
use crate::ErrorKind;
use crate::error::Fault;

const SEEDS: u64 = 150;
const CLIENTS: u64 = 4;
/// Far above what a run takes; later than this is no end at all.
const LONGEST_RUN: Duration = Duration::from_secs(7200);

#[derive(Debug, Default)]
struct History {
    events: Mutex<Vec<Event>>,
    /// Orders begins and ends that fall on the same moment.
    ticks: Mutex<u64>,
    reseeds: Mutex<u64>,
}

impl History {
    fn tick(&self) -> u64 {
        let mut ticks = self.ticks.lock().unwrap();
        *ticks += 1;
        *ticks
    }

    fn add(&self, operation: Operation, begin: u64) {
        let end = self.tick();
        self.events.lock().unwrap().push(Event { operation, begin, end });
    }
}

fn bytes(value: u64) -> Option<Bytes> {
    (value != 0).then(|| Bytes::copy_from_slice(&value.to_le_bytes()))
}

fn number(bytes: Option<&Bytes>) -> u64 {
    bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.as_ref().try_into().unwrap()))
}

fn quorum(world: &Arc<World>, client: u64) -> Quorum<super::sim_instance::SimInstance> {
    let dice = Arc::clone(&world.dice) as Arc<_>;
    let options = QuorumOptions {
        call_timeout: Duration::from_secs(3),
        attempts: 8,
        clock: Arc::clone(&world.clock) as Arc<_>,
        entropy: dice,
        ..QuorumOptions::default()
    };
    Quorum::new(world.instances(client), "sim", options).unwrap()
}

async fn client(world: Arc<World>, history: Arc<History>, client: u64) {
    let quorum = quorum(&world, client);
    let dice = &world.dice;
    let mut known = 0;
    for round in 0..8 {
        SystemClock.sleep(Duration::from_millis(dice.below(3000))).await;
        let begin = history.tick();
        if dice.below(3) == 0 {
            match quorum.read().await {
                Ok(found) => {
                    known = number(found.as_ref());
                    history.add(Operation::Read(known), begin);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
            continue;
        }
        let new = client * 100 + round + 1;
        match quorum.swap(bytes(known).as_ref(), bytes(new)).await {
            Ok(Swap::Done) => {
                history.add(Operation::Swap(known, new), begin);
                known = new;
            }
            Ok(Swap::Differs(found)) => {
                let found = number(found.as_ref());
                history.add(Operation::Differs(known, found), begin);
                known = found;
            }
            Ok(Swap::Overwritten(found)) => {
                history.add(Operation::Unknown(known, new), begin);
                known = number(found.as_ref());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                if matches!(error.fault(), Fault::Indeterminate(_)) {
                    history.add(Operation::Unknown(known, new), begin);
                }
                // Any other error says that it was not done, and the checker holds it to that.
            }
        }
    }
}

/// Cuts, crashes, and loses disks, of which one at a time, until it is reseeded.
async fn trouble(world: Arc<World>, history: Arc<History>) {
    let dice = &world.dice;
    let operator = quorum(&world, 99);
    let mut lost = false;
    for _ in 0..12 {
        SystemClock.sleep(Duration::from_millis(dice.below(4000))).await;
        let victim = dice.below(world.count() as u64) as usize;
        match dice.below(8) {
            0..3 => world.cut(dice.below(CLIENTS), victim, Duration::from_millis(dice.below(20_000))),
            3 => {
                // One is cut off from everybody.
                let length = Duration::from_millis(dice.below(10_000));
                (0..CLIENTS).for_each(|client| world.cut(client, victim, length));
            }
            4..6 => world.crash(victim),
            // A disk is lost only when all have all: else more would be lost than the group can bear.
            6 if !lost && operator.is_whole().await.unwrap_or(false) => {
                world.wipe(victim);
                lost = true;
            }
            _ if lost && operator.reseed().await.is_ok() => {
                *history.reseeds.lock().unwrap() += 1;
                lost = false;
            }
            _ => {}
        }
    }
}

/// Runs one seed, and gives the history and the number of reseeds.
fn run(count: usize, seed: u64, flaw: Flaw) -> (Vec<Event>, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // The runtime's timers tick in milliseconds, and its clock begins between two ticks: from here on it stands on one.
        SystemClock.sleep(Duration::from_millis(2)).await;
        let (world, history) = (World::new(count, seed, flaw), Arc::new(History::default()));
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            tasks.spawn(client(Arc::clone(&world), Arc::clone(&history), number));
        }
        tasks.spawn(trouble(Arc::clone(&world), Arc::clone(&history)));
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
        };
        tokio::time::timeout(LONGEST_RUN, all).await.expect("nobody hangs");
        let events = history.events.lock().unwrap().clone();
        assert!(events.len() <= MAX_EVENTS);
        let reseeds = *history.reseeds.lock().unwrap();
        (events, reseeds)
    })
}

fn seeds() -> std::ops::Range<u64> {
    let variable =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let first = variable("PLASTRON_SEED", 0);
    first..first + variable("PLASTRON_SEEDS", SEEDS)
}

#[test]
fn simulation_of_three_and_five() {
    for count in [3, 5] {
        let (mut done, mut reads, mut unknown, mut reseeded) = (0, 0, 0, 0);
        for seed in seeds() {
            let (events, reseeds) = run(count, seed, Flaw::None);
            assert!(is_linearizable(&events), "{count} instances, seed {seed}: {events:#?}");
            reseeded += reseeds;
            for event in events {
                match event.operation {
                    Operation::Swap(..) => done += 1,
                    Operation::Unknown(..) => unknown += 1,
                    Operation::Read(_) | Operation::Differs(..) => reads += 1,
                }
            }
        }
        let number = seeds().end - seeds().start;
        println!(
            "{count} instances, {number} seeds: {done} swaps, {reads} reads, {unknown} unknown, {reseeded} reseeds"
        );
        assert!(done > number && reads > number && unknown > 0, "{done} {reads} {unknown}");
    }
}

/// How many seeds it takes to catch a flaw.
fn caught(count: usize, flaw: Flaw) -> Option<u64> {
    (0..3000).find(|seed| !is_linearizable(&run(count, *seed, flaw).0))
}

#[test]
fn simulation_catches_a_takeover_by_plain_get() {
    assert!(caught(3, Flaw::PlainGet).is_some());
}

#[test]
fn simulation_catches_epochs_in_values_only() {
    assert!(caught(3, Flaw::EpochInValueOnly).is_some());
}

#[test]
fn simulation_catches_writing_back_without_a_guard() {
    assert!(caught(3, Flaw::Unguarded).is_some());
}

/// The quick ones of a group have it, and the slow ones get it before the process may end.
#[test]
fn who_settles_leaves_nobody_behind_for_no_reason() {
    let (mut at_once, mut settled) = (0, 0);
    for seed in 0..64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new(3, seed, Flaw::None);
            let quorum = quorum(&world, 0);
            if !matches!(quorum.swap(None, bytes(7)).await, Ok(Swap::Done)) {
                return;
            }
            at_once += u32::from(world.agrees());
            let begin = world.clock.monotonic();
            quorum.settle(Duration::from_secs(60)).await;
            let waited = world.clock.monotonic() - begin;
            assert!(waited < Duration::from_secs(60), "each call has its deadline: {waited:?}");
            settled += u32::from(world.agrees());
        });
    }
    assert!(settled > at_once + 8, "{at_once} at once, {settled} when settled");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let text = |seed| format!("{:?}", run(3, seed, Flaw::None).0);
    for seed in [1, 2, 3] {
        assert_eq!(text(seed), text(seed), "seed {seed}");
    }
}
