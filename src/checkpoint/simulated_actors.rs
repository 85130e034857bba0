//! Who acts in the simulation: leaders, followers, collectors, and those who restore and clone; and what each of them checks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_sources::clock::Clock;
use tokio::time::timeout;

use super::simulated_leader::LeaderTerm;
use super::simulated_model::{Model, Pages, content, keys};
use super::simulated_store::{Connection, SimStore};
use super::simulated_time::{Dice, mix};
use super::{CheckpointFault, CheckpointInfo, Collector, Follower, History, Inspector, Leader, Volume};
use crate::page_log::{Lsn, PageLogFault};

pub(super) const DAY: Duration = Duration::from_secs(86_400);
const LEASE: Duration = Duration::from_secs(600);
pub(super) const WINDOW: Duration = Duration::from_secs(3600);
/// How far calendars are apart, at the most.
pub(super) const APART: Duration = Duration::from_secs(300);
/// The engine's tables: one like any, and one that is trimmed.
pub(super) const PLAIN: u64 = 7;
pub(super) const TRIMMED: u64 = 9;

/// All that is simulated.
pub(super) struct World {
    pub(super) store: Arc<SimStore>,
    pub(super) model: Mutex<Model>,
    seed: u64,
    /// What was acknowledged: sequence and LSN.
    pub(super) acknowledged: Mutex<Vec<(u64, Lsn)>>,
    /// Clones that were made: their prefix, and the LSN of what they are of.
    pub(super) clones: Mutex<Vec<(String, Lsn)>>,
    /// Leaders that were left alone, and their epochs.
    pub(super) sleeping: Mutex<Vec<(Leader, u64)>>,
    pub(super) inspections: AtomicU64,
    pub(super) verified: AtomicU64,
    pub(super) removed: AtomicU64,
}

/// One process: its connection, its dice, its name.
pub(super) struct Process {
    pub(super) connection: Arc<Connection>,
    pub(super) dice: Arc<Dice>,
    pub(super) volume: Volume,
}

/// A process that is dropped is killed.
impl Drop for Process {
    fn drop(&mut self) {
        self.connection.kill();
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            store: SimStore::new(seed),
            model: Mutex::default(),
            seed,
            acknowledged: Mutex::default(),
            clones: Mutex::default(),
            sleeping: Mutex::default(),
            inspections: AtomicU64::new(0),
            verified: AtomicU64::new(0),
            removed: AtomicU64::new(0),
        })
    }

    pub(super) fn process(&self, name: &str, number: u64) -> Process {
        Self::connect(&self.store, self.seed, name, number, true)
    }

    /// One whose requests neither stall nor fail.
    pub(super) fn calm(&self, store: &Arc<SimStore>, name: &str) -> Process {
        Self::connect(store, self.seed, name, 0, false)
    }

    fn connect(store: &Arc<SimStore>, seed: u64, name: &str, number: u64, rough: bool) -> Process {
        let id = mix(name.bytes().fold(number, |hash, byte| hash.wrapping_mul(31) + u64::from(byte)));
        let connection = Connection::new(store, id, rough);
        let dice = Dice::new(seed ^ id);
        let ahead = if rough { Duration::from_millis(dice.below(APART.as_millis() as u64)) } else { Duration::ZERO };
        let mut volume = Volume::new(connection.bucket(ahead, &Dice::new(seed ^ mix(id))), format!("{name}:{number}"));
        volume.keys = keys(store, [-1, 0, 900][(seed % 3) as usize]);
        volume.page_log.segment_size = 4 << 10;
        volume.page_log.memory = 32 << 10;
        volume.page_log.index_block_size = 1 << 10;
        volume.page_log.run_segments = 3;
        volume.page_log.flush_age = Duration::from_millis(5);
        volume.page_log.read_wait = Duration::from_millis(20);
        volume.page_log.upload_deadline = WINDOW;
        volume.page_log.clock = Arc::new(store.clock().ahead(ahead));
        volume.retention.checkpoints = 2;
        volume.retention.time = Duration::from_secs(dice.below(600));
        volume.retention.window = WINDOW;
        volume.retention.lease = LEASE;
        Process { connection, dice, volume }
    }

    pub(super) async fn rest(&self, process: &Process) {
        self.store.clock().sleep(process.dice.stall()).await;
    }

    pub(super) fn acknowledge(&self, info: &CheckpointInfo) {
        let history = self.store.history();
        let published = history.get(info.sequence as usize - 1).and_then(|turtle| turtle.published.as_ref());
        if published.is_none_or(|published| published.turtle.checkpoint_lsn != info.lsn.get()) {
            self.store.violation(format!("{info:?} was acknowledged, and is not part of the history"));
        }
        self.acknowledged.lock().unwrap().push((info.sequence, info.lsn));
    }

    /// One term of a leader, until it is fenced or has enough.
    pub(super) async fn lead(&self, number: u64) {
        let process = self.process("leader", number);
        let turtles = self.store.history().len();
        let mut volume = process.volume.clone();
        if number.is_multiple_of(3) {
            volume.retention.interval = Duration::from_secs(1800);
        }
        let leader = match Leader::open(volume).await {
            Ok(leader) => leader,
            // Others went on meanwhile, and what it had read is gone.
            Err(fault) if fault.is_retryable() || self.store.history().len() > turtles + 1 => return,
            Err(fault) => return self.store.violation(format!("leader {number} could not open: {fault:?}")),
        };
        let epoch = leader.epoch().await;
        let completed = leader.completed().await;
        self.model.lock().unwrap().begin(epoch, completed.map(|completed| completed.lsn));
        let term = LeaderTerm { world: self, process: &process, leader: &leader, epoch };
        for _ in 0..8 + process.dice.below(30) {
            let longest = if process.dice.below(8) == 0 { process.dice.stall() } else { DAY };
            let polls = if process.dice.below(6) == 0 { process.dice.below(60) } else { u64::MAX };
            match timeout(longest, dropped_after(polls, term.step())).await.ok().flatten().ok_or(()) {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(fault)) if fault.is_retryable() => {}
                Ok(Err(fault)) if fault.kind() == ErrorKind::Fenced => return term.fenced().await,
                // It has to be opened again.
                Ok(Err(CheckpointFault::PageLog(PageLogFault::Failed { kind: ErrorKind::Unavailable, .. }))) => return,
                Ok(Err(fault)) => {
                    // What it reads may be gone when others went on, and so may be a segment whose answer was lost, when it looks for it.
                    let gone = is_gone(&fault) || fault.kind() == ErrorKind::AlreadyExists;
                    if !gone || self.store.epoch() == epoch {
                        self.store.violation(format!("leader {number} of epoch {epoch}: {fault:?}"));
                    }
                    return;
                }
            }
        }
        if process.dice.below(2) == 0 {
            self.sleeping.lock().unwrap().push((leader, epoch));
            // It lives on.
            std::mem::forget(process);
        }
    }

    /// One life of a follower.
    pub(super) async fn follow(&self, number: u64) {
        let process = self.process("follower", number);
        let itself = process.dice.below(2) == 0;
        let opened = match itself {
            true => Follower::open(process.volume.clone()).await,
            false => Follower::open_still(process.volume.clone()).await,
        };
        let owner = process.volume.owner.to_string();
        let follower = match opened {
            Ok(follower) => follower,
            Err(CheckpointFault::NothingPublished { .. } | CheckpointFault::Gone { .. }) => return,
            Err(fault) if fault.is_retryable() => return,
            Err(fault) => return self.store.violation(format!("follower {number} could not open: {fault:?}")),
        };
        let mut seen = 0;
        for _ in 0..process.dice.below(12) {
            self.rest(&process).await;
            let newest = self.acknowledged.lock().unwrap().iter().map(|(sequence, _)| *sequence).max();
            let advanced = if itself { None } else { Some(follower.advance().await) };
            let info = follower.checkpoint();
            match advanced {
                Some(Ok(_)) if Some(info.sequence) < newest => {
                    self.store.violation(format!("follower {number} is at {info:?}, and {newest:?} was acknowledged"));
                }
                None | Some(Ok(_) | Err(CheckpointFault::Gone { .. })) => {}
                Some(Err(fault)) if fault.is_retryable() => {}
                Some(Err(fault)) => self.store.violation(format!("follower {number} could not advance: {fault:?}")),
            }
            if info.sequence < seen {
                self.store.violation(format!("follower {number} went back from {seen} to {info:?}"));
            }
            seen = info.sequence;
            let read = self.read(&follower).await;
            let pinned = self.store.is_pinned(&owner, info.lsn.get(), LEASE + WINDOW - APART);
            if let Err(fault) = read.and_then(|()| follower.failure().map_or(Ok(()), Err))
                && pinned
                && follower.checkpoint() == info
                && !fault.is_retryable()
            {
                self.store.violation(format!("follower {number} could not read {info:?}: {fault:?}"));
            }
        }
        if process.dice.below(2) == 0 {
            follower.close().await;
        }
    }

    /// Reads all that a follower sees, and holds it against the model.
    pub(super) async fn read(&self, follower: &Follower) -> Result<(), CheckpointFault> {
        let info = follower.checkpoint();
        let expected = self.model.lock().unwrap().at(info.lsn);
        let history = self.store.history();
        let genuine = history.get(info.sequence as usize - 1).and_then(|turtle| turtle.published.as_ref());
        // A store that is frozen has no history.
        let known = history.is_empty() || genuine.is_some_and(|one| one.turtle.checkpoint_lsn == info.lsn.get());
        let found = async {
            let page = follower.turtle_page().await?;
            let kek = page.and_then(|page| page.key_provider).map_or(0, |provider| provider.lsn);
            let found = pages(follower.log(), &expected).await?;
            Ok::<_, CheckpointFault>((found, kek))
        };
        let found = found.await;
        if follower.checkpoint() != info {
            return Ok(());
        }
        let (found, kek) = found?;
        if !known || found != expected || kek != info.kek_lsn.get() {
            let named = genuine.map(|one| (one.version, one.turtle.checkpoint_lsn, one.turtle.kek.clone()));
            let there = self.store.names("_plastron/turtle/");
            self.store.violation(format!(
                "at {info:?} of {named:?} and {there:?} (known: {known}, KEK {kek}): {found:?}, not {expected:?}"
            ));
        }
        self.verified.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Collects from outside, by a process that knows nothing of leaders.
    pub(super) async fn collect(&self, number: u64) {
        let process = self.process("collector", number);
        for _ in 0..process.dice.below(4) {
            self.rest(&process).await;
            let turtles = self.store.history().len();
            match Collector::new(process.volume.clone()).run().await {
                Ok(report) => drop(self.removed.fetch_add(report.removed_objects, Ordering::Relaxed)),
                // What it began with may be gone when others went on.
                Err(fault) if fault.is_retryable() || self.store.history().len() > turtles => {}
                Err(fault) => self.store.violation(format!("collector {number}: {fault:?}")),
            }
            if process.dice.below(3) == 0 {
                self.inspect().await;
            }
        }
    }

    /// Collects once from outside, without a request that fails.
    pub(super) async fn collect_calmly(&self) {
        let process = self.calm(&self.store, "calm collector");
        let turtles = self.store.history().len();
        match Collector::new(process.volume.clone()).run().await {
            Ok(report) => drop(self.removed.fetch_add(report.removed_objects, Ordering::Relaxed)),
            Err(_) if self.store.history().len() > turtles => {}
            Err(fault) => self.store.violation(format!("a calm collector: {fault:?}")),
        }
    }

    /// Now and then goes back, or clones.
    pub(super) async fn look_back(&self, number: u64) {
        let process = self.process("restore", number);
        self.store.clock().sleep(Duration::from_secs(process.dice.below(3 * 3600))).await;
        let history = History::new(process.volume.clone());
        let Ok(list) = history.list().await else { return };
        // Mostly the oldest, which may be removed meanwhile.
        let at = if process.dice.below(3) > 0 { 0 } else { process.dice.below(list.len().max(1) as u64) as usize };
        let Some(chosen) = list.get(at) else { return };
        let prefix = format!("clone-{number}/");
        let clone = process.dice.below(3) == 0;
        let done = match clone {
            true => history.clone_to(chosen.sequence, &prefix).await,
            false => history.restore(chosen.sequence).await,
        };
        match done {
            Ok(_) if clone => self.clones.lock().unwrap().push((prefix, chosen.lsn)),
            Ok(info) => self.acknowledge(&info),
            Err(fault) if fault.is_retryable() => {}
            Err(fault) if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::Fenced) => {}
            Err(fault) => self.store.violation(format!("looking back {number}, at {chosen:?}: {fault:?}")),
        }
    }

    /// Whether everything that is retained at this moment can be read, and is what it should be.
    pub(super) async fn inspect(&self) {
        let frozen = self.store.frozen();
        let process = self.calm(&frozen, "inspector");
        match Inspector::new(process.volume.clone()).all(true).run().await {
            Ok(found) if found.is_clean() => {}
            Ok(found) => self.store.violation(format!("an inspection found {:?}", found.faults)),
            Err(CheckpointFault::NothingPublished { .. }) => return,
            Err(fault) => self.store.violation(format!("an inspection failed: {fault:?}")),
        }
        let history = History::new(process.volume.clone());
        for info in history.list().await.unwrap() {
            match history.open(info.sequence).await {
                Ok(follower) => {
                    let read = self.read(&follower).await;
                    read.unwrap_or_else(|fault| self.store.violation(format!("{info:?} is retained: {fault:?}")));
                }
                Err(fault) => self.store.violation(format!("{info:?} is retained: {fault:?}")),
            }
        }
        self.inspections.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether an object was not there.
fn is_gone(fault: &CheckpointFault) -> bool {
    let told = |check: &str| check.starts_with("it is not there");
    fault.kind() == ErrorKind::NotFound
        || matches!(fault, CheckpointFault::PageLog(PageLogFault::Corrupt { check, .. }) if told(check))
}

/// Drops `call` if it is not done when it was polled so many times: between any two things that it waits for.
async fn dropped_after<T>(mut polls: u64, call: impl Future<Output = T>) -> Option<T> {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(move |context| {
        let polled = call.as_mut().poll(context).map(Some);
        polls = polls.saturating_sub(1);
        if polled.is_pending() && polls == 0 { Poll::Ready(None) } else { polled }
    })
    .await
}

/// The pages of `log`, asked for by the names in `expected` and by all ids.
pub(super) async fn pages(log: &crate::page_log::PageLog, expected: &Pages) -> Result<Pages, CheckpointFault> {
    let mut found = Pages::new();
    for table in [PLAIN, TRIMMED] {
        let handle = log.table(table);
        let named = expected.keys().filter(|(of, _)| *of == table).map(|(_, page)| *page);
        let ids: std::collections::BTreeSet<u64> = handle.page_ids(Lsn::MAX).await?.into_iter().chain(named).collect();
        for page in ids {
            let chain = match handle.get(page, Lsn::MAX).await {
                Ok(chain) => chain,
                Err(PageLogFault::NotFound { .. } | PageLogFault::Discarded { .. } | PageLogFault::Trimmed { .. }) => {
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            };
            let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |id| u64::from_le_bytes(*id));
            let whole = chain.records.iter().all(|record| record.bytes == content(number(&record.bytes)));
            let records = chain.records.iter().map(|record| (record.lsn, number(&record.bytes)));
            found.insert((table, page), if whole { records.collect() } else { Vec::new() });
        }
    }
    Ok(found)
}
