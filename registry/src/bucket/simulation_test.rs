//! Several leaders, followers and GCs on one volume, in virtual time: stalls of minutes before and after every request, requests that
//! fail, whose answers are lost, and that are done long after they were given up; leaders that are dropped at any moment.
//!
//! `PLASTRON_SEEDS=10000 cargo test -p plastron-registry simulation` runs so many seeds, from `PLASTRON_SEED` on; a failure names its seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use plastron_sources::clock::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::testing::{Dice, Moment, Role, SimStore};
use crate::{CheckpointRegistry, ErrorKind, Leadership, TurtleObject, Version};

const SEEDS: u64 = 300;
const LEADERS: u64 = 4;

type Acknowledged = Arc<Mutex<Vec<(Version, u64)>>>;

/// The content of these tests: numbers, each of one publish.
fn content(ids: &[u64]) -> Bytes {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<_>>().into()
}

fn ids(content: &[u8]) -> Vec<u64> {
    content.as_chunks().0.iter().map(|id| u64::from_le_bytes(*id)).collect()
}

/// One term of a leader: takes over, publishes, until it is fenced or has enough.
async fn term(store: &Arc<SimStore>, owner: &str, next_id: &Mutex<u64>, acknowledged: &Acknowledged) {
    let dice = store.dice();
    let registry: Arc<dyn CheckpointRegistry> = Arc::new(store.registry(Role::Leader));
    let mut leader = match Leadership::open(Arc::clone(&registry), owner).await {
        Ok(leader) => leader,
        Err(error) if error.is_retryable() => return,
        Err(error) => return store.violation(format!("{error:?}")),
    };
    let mut mine = ids(leader.content().map(Bytes::as_ref).unwrap_or_default());
    let mut again = None;
    for _ in 0..dice.below(8) {
        SystemClock.sleep(dice.stall()).await;
        let id = again.take().unwrap_or_else(|| {
            let mut id = next_id.lock().unwrap();
            *id += 1;
            *id
        });
        let next = [mine.as_slice(), &[id]].concat();
        let base = leader.version();
        match leader.publish(content(&next)).await {
            Ok(version) => {
                acknowledged.lock().unwrap().push((version, id));
                mine = next;
            }
            Err(error) if error.kind() == ErrorKind::Fenced => {
                // For good, whatever GC removed: also for one who forgot.
                for _ in 0..3 {
                    SystemClock.sleep(dice.stall()).await;
                    match registry.commit(leader.fence(), &base, content(&next)).await {
                        Err(error) if matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Unavailable) => {}
                        other => store.violation(format!("after being fenced: {other:?}")),
                    }
                }
                assert!(leader.is_fenced() && leader.publish(content(&next)).await.is_err());
                return;
            }
            // The same again, or something else on top of what may have been published.
            Err(error) if error.is_retryable() => again = (dice.below(2) == 0).then_some(id),
            Err(error) => return store.violation(format!("{error:?}")),
        }
    }
}

/// Removes whatever is not the newest, in any order, from a list that may be old.
async fn collect(store: &Arc<SimStore>, rounds: u64) {
    let (dice, registry) = (store.dice(), store.registry(Role::Gc));
    for _ in 0..rounds {
        SystemClock.sleep(dice.stall()).await;
        let mut numbers = store.numbers();
        while !numbers.is_empty() {
            let sequence = numbers.swap_remove(dice.below(numbers.len() as u64) as usize);
            match registry.remove(sequence).await {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Invalid) => {}
                Err(error) => store.violation(format!("{error:?}")),
            }
        }
    }
}

/// Sees only what is part of the history, never older than what it saw before.
async fn follow(store: &Arc<SimStore>, reads: u64) {
    let (dice, registry) = (store.dice(), store.registry(Role::Gc));
    let mut seen: Option<Version> = None;
    let mut news = registry.watch(None);
    for _ in 0..reads {
        SystemClock.sleep(dice.stall()).await;
        let watched = dice.below(2) == 0;
        let found = if watched {
            match timeout(Duration::from_secs(60), news.next()).await {
                Ok(found) => found.transpose(),
                Err(_) => continue,
            }
        } else {
            registry.read().await
        };
        match found {
            Ok(None) if seen.is_none() && !watched => {}
            Ok(Some(found)) => {
                let older = seen.is_some_and(|seen| found.version.sequence < seen.sequence);
                // The stream may be behind what was read.
                if older && !watched {
                    store.violation(format!("{:?} was read after {seen:?}", found.version));
                }
                if !older {
                    seen = Some(found.version);
                }
                let history = store.history();
                let real = history.get(found.version.sequence as usize - 1).cloned();
                let real = real.and_then(|bytes| TurtleObject::decode(&bytes).ok());
                if real.is_none_or(|(real, version)| version != found.version || real.content != Some(found.content)) {
                    store.violation(format!("{:?} was read, and is not part of the history", found.version));
                }
            }
            Err(error) if error.is_retryable() => {}
            other => store.violation(format!("after {seen:?}: {other:?}")),
        }
    }
}

/// What must hold in the end; how many were acknowledged, and how many orphans there were.
fn judge(store: &SimStore, acknowledged: &Acknowledged) -> (usize, u64) {
    let mut violations = store.violations();
    let history: Vec<_> = store.history().iter().map(|bytes| TurtleObject::decode(bytes).unwrap()).collect();
    for pair in history.windows(2) {
        let [(older, version), (newer, _)] = pair else { continue };
        let same = newer.epoch == older.epoch && newer.writer == older.writer && newer.opened_at == older.opened_at;
        let next = newer.epoch == older.epoch + 1 && newer.opened_at == newer.sequence;
        if newer.previous != version.checksum || !(same || next) {
            violations.push(format!("{newer:?} does not follow {older:?}"));
        }
    }
    let acknowledged = acknowledged.lock().unwrap();
    for (version, id) in acknowledged.iter() {
        let after = history.get(version.sequence as usize - 1..).unwrap_or_default();
        if after.first().map(|(_, version)| version) != Some(version) {
            violations.push(format!("{version:?} was acknowledged, and is not part of the history"));
        }
        for (turtle, _) in after {
            if !turtle.content.as_ref().is_some_and(|content| ids(content).contains(id)) {
                violations.push(format!("{id} was acknowledged as {version:?}, and is lost in {turtle:?}"));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
    (acknowledged.len(), store.orphans())
}

fn run(seed: u64) -> (usize, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let store = SimStore::new(seed, true);
        let acknowledged = Acknowledged::default();
        let next_id = Arc::new(Mutex::new(0));
        let mut tasks = JoinSet::new();
        for leader in 0..LEADERS {
            let (store, acknowledged, next_id) = (Arc::clone(&store), Arc::clone(&acknowledged), Arc::clone(&next_id));
            tasks.spawn(async move {
                for round in 0..3 {
                    // Some are killed in the middle.
                    let life =
                        if store.dice().below(2) == 0 { store.dice().stall() } else { Duration::from_secs(86_400) };
                    let owner = format!("leader-{leader}:{round}");
                    drop(timeout(life, term(&store, &owner, &next_id, &acknowledged)).await);
                }
            });
        }
        for _ in 0..2 {
            let (gc, follower) = (Arc::clone(&store), Arc::clone(&store));
            tasks.spawn(async move { collect(&gc, 12).await });
            tasks.spawn(async move { follow(&follower, 12).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        judge(&store, &acknowledged)
    })
}

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn many_leaders_one_history() {
    let first = environment("PLASTRON_SEED", 1);
    let (mut acknowledged, mut orphans) = (0, 0);
    for seed in first..first + environment("PLASTRON_SEEDS", SEEDS) {
        let result = std::panic::catch_unwind(|| run(seed));
        let (some, late) = result.unwrap_or_else(|_| panic!("it fails with PLASTRON_SEED={seed} PLASTRON_SEEDS=1"));
        acknowledged += some;
        orphans += late;
    }
    println!("{acknowledged} acknowledged, {orphans} orphans");
    // The simulation reaches what it is for.
    assert!(acknowledged > 0 && orphans > 0, "{acknowledged} acknowledged, {orphans} orphans");
}

/// A leader is killed at every request, before and after it has effect; the next one has everything that was acknowledged.
#[tokio::test(start_paused = true)]
async fn killed_at_every_request() {
    for moment in [Moment::Before, Moment::After] {
        let mut request = 0;
        loop {
            request += 1;
            let store = SimStore::new(request, false);
            let acknowledged = Acknowledged::default();
            store.crash_at(request, moment);
            let work = async {
                let registry: Arc<dyn CheckpointRegistry> = Arc::new(store.registry(Role::Leader));
                let mut leader = Leadership::open(registry, "first").await.unwrap();
                for id in 1..=3 {
                    let version = leader.publish(content(&(1..=id).collect::<Vec<_>>())).await.unwrap();
                    acknowledged.lock().unwrap().push((version, id));
                }
            };
            let whole = timeout(Duration::from_secs(3600), work).await.is_ok();
            store.go_on();
            let before = acknowledged.lock().unwrap().len();
            let registry: Arc<dyn CheckpointRegistry> = Arc::new(store.registry(Role::Leader));
            let mut leader = Leadership::open(registry, "second").await.unwrap();
            let mut found = ids(leader.content().map(Bytes::as_ref).unwrap_or_default());
            // Whole or absent: one more than was acknowledged, at the most.
            assert!(found.len() == before || found.len() == before + 1, "{found:?} after {before}");
            found.push(100);
            let version = leader.publish(content(&found)).await.unwrap();
            acknowledged.lock().unwrap().push((version, 100));
            judge(&store, &acknowledged);
            if whole {
                assert!(request > 8, "{request} requests");
                break;
            }
        }
    }
}

/// The dice are fair enough for what is above.
#[test]
fn the_same_seed_rolls_the_same() {
    let roll = |seed| {
        let dice = Dice::new(seed);
        (0..5).map(|_| dice.below(1000)).collect::<Vec<_>>()
    };
    assert_eq!(roll(7), roll(7));
    assert_ne!(roll(7), roll(8));
    assert_eq!(run(3), run(3));
}
