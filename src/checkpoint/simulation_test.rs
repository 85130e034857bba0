//! Leaders, followers, collectors, restores and clones on one database, in virtual time: stalls of minutes and hours before and after every
//! request, requests that fail, whose answers are lost, and that are done long after they were given up; calls that are dropped, processes
//! that are killed at any moment.
//!
//! `PLASTRON_SEEDS=10000 cargo test -p plastron --lib simulation` runs so many seeds, from `PLASTRON_SEED` on; a failure names its seed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_sources::clock::Clock;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::simulated_actors::{DAY, World, pages};
use super::simulated_leader::LeaderTerm;
use super::{CheckpointFault, CheckpointRequest, Collector, Follower, Leader};
use crate::page_log::{Lsn, PageLogFault, PutArgs};

const SEEDS: u64 = 40;
const LEADERS: u64 = 3;

/// What a seed came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    acknowledged: u64,
    turtles: u64,
    orphans: u64,
    removed: u64,
    read: u64,
    inspections: u64,
    clones: u64,
    restores: u64,
    requests: u64,
}

/// Whether it is an old checkpoint that was brought back.
fn is_restore(turtle: &super::simulated_model::Historic) -> bool {
    turtle.object.owner.starts_with("restore") && turtle.object.opened_at < turtle.object.sequence
}

/// That every turtle follows from the one before, and all that was acknowledged is among them.
fn judge(world: &World) {
    let history = world.store.history();
    for pair in history.windows(2) {
        let [older, newer] = pair else { continue };
        let (before, after) = (&older.object, &newer.object);
        let same = (after.epoch, after.writer, after.opened_at) == (before.epoch, before.writer, before.opened_at);
        let next = after.epoch == before.epoch + 1 && after.opened_at == after.sequence;
        let lsn = newer.published.as_ref().map_or(0, |published| published.turtle.checkpoint_lsn);
        let last = older.published.as_ref().map_or(0, |published| published.turtle.checkpoint_lsn);
        let restored = is_restore(newer);
        let content = match same {
            false => after.content == before.content,
            true if restored => {
                history.iter().any(|any| any.object.sequence < after.sequence && any.object.content == after.content)
            }
            true => lsn >= last && Lsn::new(lsn).epoch() == after.epoch,
        };
        if after.previous != older.version.checksum || !(same || next) || !content {
            world.store.violation(format!("{after:?} with {lsn} does not follow {before:?} with {last}"));
        }
    }
    for (sequence, lsn) in world.acknowledged.lock().unwrap().iter() {
        let found = history.get(*sequence as usize - 1).and_then(|turtle| turtle.published.as_ref());
        if found.is_none_or(|found| found.turtle.checkpoint_lsn != lsn.get()) {
            world.store.violation(format!("turtle {sequence} with {lsn} was acknowledged, and is lost"));
        }
    }
}

/// Everything is quiet: leaders that were overtaken are fenced, garbage goes, the next leader goes on.
async fn afterwards(world: &World) {
    let sleeping = std::mem::take(&mut *world.sleeping.lock().unwrap());
    for (leader, epoch) in sleeping.into_iter().filter(|(_, epoch)| *epoch < world.store.epoch()) {
        loop {
            match leader.checkpoint(CheckpointRequest::default()).await {
                Err(fault) if fault.kind() == ErrorKind::Fenced => break,
                Err(fault) if fault.is_retryable() => {}
                Err(CheckpointFault::PageLog(PageLogFault::Failed { kind: ErrorKind::Unavailable, .. })) => break,
                other => return world.store.violation(format!("the overtaken leader of epoch {epoch}: {other:?}")),
            }
        }
    }
    world.store.clock().sleep(DAY).await;
    world.inspect().await;
    let process = world.calm(&world.store, "last");
    match Collector::new(process.volume.clone()).run().await {
        Ok(report) => drop(world.removed.fetch_add(report.removed_objects, Ordering::Relaxed)),
        Err(fault) => world.store.violation(format!("the last collection: {fault:?}")),
    }
    world.inspect().await;
    let newest = world.store.history().last().and_then(|newest| newest.published.clone());
    let expected = newest.map_or_else(Default::default, |newest| world.model.lock().unwrap().at(newest.info().lsn));
    let leader = Leader::open(process.volume.clone()).await.unwrap();
    let found = pages(leader.log(), &expected).await.unwrap();
    if found != expected {
        world.store.violation(format!("the last leader has {found:?}, not {expected:?}"));
    }
    leader.table(1).unwrap().put(1, PutArgs::full(), "the end").await.unwrap();
    let (info, _) = leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    let end = world.calm(&world.store, "end");
    let follower = Follower::open_still(end.volume.clone()).await.unwrap();
    assert_eq!(follower.checkpoint(), info);
    let clones = world.clones.lock().unwrap().clone();
    for (prefix, lsn) in clones {
        let mut volume = process.volume.clone();
        let mut clone = super::Volume::new(volume.bucket.at_prefix(&prefix).unwrap(), "clone");
        clone.keys = super::simulated_model::keys(&world.store, 0);
        std::mem::swap(&mut clone.page_log, &mut volume.page_log);
        let expected = world.model.lock().unwrap().at(lsn);
        let leader = match Leader::open(clone).await {
            Ok(leader) => leader,
            Err(fault) => return world.store.violation(format!("{prefix}: {fault:?}")),
        };
        match pages(leader.log(), &expected).await {
            Ok(found) if found == expected => {}
            other => world.store.violation(format!("{prefix} has {other:?}, not {expected:?}")),
        }
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    }
}

/// A leader whom nobody overtakes is idle for longer than the window, again and again, and others collect.
async fn quietly(world: &World) {
    let process = world.calm(&world.store, "quiet");
    let leader = Leader::open(process.volume.clone()).await.unwrap();
    let epoch = leader.epoch().await;
    let completed = leader.completed().await;
    world.model.lock().unwrap().begin(epoch, completed.map(|completed| completed.lsn));
    let term = LeaderTerm { world, process: &process, leader: &leader, epoch };
    for round in 0..4 {
        let done = if round == 2 { term.unsure().await } else { term.idle().await };
        if let Err(fault) = done {
            world.store.violation(format!("a quiet leader, round {round}: {fault:?}"));
        }
    }
}

async fn simulate(seed: u64) -> Tally {
    let world = World::new(seed);
    let mut tasks = JoinSet::new();
    for actor in 0..LEADERS {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            for round in 0..3 {
                // Some are killed in the middle, most live a while.
                let dice = super::simulated_time::Dice::new(seed ^ (actor << 32 | round));
                world.store.clock().sleep(dice.stall() * 3 + dice.stall() * 3).await;
                let life = if dice.below(2) == 0 { dice.stall() * 4 } else { DAY };
                drop(timeout(life, world.lead(actor * 10 + round)).await);
            }
        });
    }
    for actor in 0..2 {
        let (follows, collects) = (Arc::clone(&world), Arc::clone(&world));
        tasks.spawn(async move {
            for round in 0..3 {
                follows.store.clock().sleep(Duration::from_secs(round * 1200)).await;
                drop(timeout(DAY / 2, follows.follow(actor * 10 + round)).await);
            }
        });
        tasks.spawn(async move {
            for round in 0..3 {
                collects.store.clock().sleep(Duration::from_secs(1800 * round)).await;
                drop(timeout(DAY / 2, collects.collect(actor * 10 + round)).await);
            }
        });
        let looks = Arc::clone(&world);
        tasks.spawn(async move {
            for round in 0..3 {
                drop(timeout(DAY / 4, looks.look_back(actor * 10 + round)).await);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    quietly(&world).await;
    afterwards(&world).await;
    judge(&world);
    let violations = world.store.violations();
    assert!(violations.is_empty(), "{violations:#?}");
    let count = |count: usize| count as u64;
    Tally {
        acknowledged: count(world.acknowledged.lock().unwrap().len()),
        turtles: count(world.store.history().len()),
        orphans: world.store.orphans(),
        removed: world.removed.load(Ordering::Relaxed),
        read: world.verified.load(Ordering::Relaxed),
        inspections: world.inspections.load(Ordering::Relaxed),
        clones: count(world.clones.lock().unwrap().len()),
        restores: count(world.store.history().iter().filter(|one| is_restore(one)).count()),
        requests: world.store.requests(),
    }
}

fn run(seed: u64) -> Tally {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(simulate(seed))
}

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn one_history_whatever_happens() {
    let first = environment("PLASTRON_SEED", 1);
    let mut all = Tally::default();
    let mut failed = Vec::new();
    for seed in first..first + environment("PLASTRON_SEEDS", SEEDS) {
        match std::panic::catch_unwind(|| run(seed)) {
            Ok(one) => {
                all.acknowledged += one.acknowledged;
                all.turtles += one.turtles;
                all.orphans += one.orphans;
                all.removed += one.removed;
                all.read += one.read;
                all.inspections += one.inspections;
                all.clones += one.clones;
                all.restores += one.restores;
                all.requests += one.requests;
            }
            Err(_) => {
                println!("it fails with PLASTRON_SEED={seed} PLASTRON_SEEDS=1");
                failed.push(seed);
            }
        }
    }
    println!("{all:?}");
    assert!(failed.is_empty(), "seeds that fail, each by PLASTRON_SEED=… PLASTRON_SEEDS=1: {failed:?}");
    // The simulation reaches what it is for.
    assert!(all.acknowledged > 0 && all.removed > 0 && all.read > 0 && all.inspections > 0, "{all:?}");
}
