//! Instances in virtual time: what they decide is the service's own code; the network between is not reliable, power fails, disks are lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::future::BoxFuture;
use plastron_sources::clock::{Clock, Entropy, Sleep, SystemClock};

use super::instance::{Instance, InstanceError, View};
use crate::checkpoint_store::{Record, Slot, Staged, Write, commit, look, stage};
use crate::refusal::Refusal;
use crate::value::{Epoch, InstanceId};

const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// SplitMix64, shared.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }
}

impl Entropy for Dice {
    fn next_u64(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Time as the runtime has it, which is virtual.
#[derive(Debug)]
pub(super) struct VirtualClock(tokio::time::Instant);

impl VirtualClock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock of the simulation")]
    fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for VirtualClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        SystemClock.sleep(duration)
    }
}

/// What is wrong with the instances. The last three are the unsafe ways of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Taking over is a plain GET that discards: nothing is promised.
    PlainGet,
    /// Epochs stand in values only: nothing is promised, and nothing is discarded.
    EpochInValueOnly,
    /// What is lower is taken too.
    Unguarded,
}

#[derive(Debug)]
struct Machine {
    id: InstanceId,
    record: Record,
    slot: Slot,
    /// Counts crashes: what was under way when one came is gone.
    life: u64,
}

/// All instances of a group, and the network.
#[derive(Debug)]
pub(super) struct World {
    machines: Vec<Mutex<Machine>>,
    /// Pairs of client and instance that can't reach each other until then.
    cut: Mutex<Vec<(u64, usize, Duration)>>,
    pub(super) dice: Arc<Dice>,
    pub(super) clock: Arc<VirtualClock>,
    flaw: Flaw,
}

impl World {
    pub(super) fn new(count: usize, seed: u64, flaw: Flaw) -> Arc<Self> {
        let machine = |number| Machine {
            id: InstanceId(number as u128 + 1),
            record: Record::default(),
            slot: Slot::Empty,
            life: 0,
        };
        let machines = (0..count).map(|number| Mutex::new(machine(number))).collect();
        Arc::new(Self { machines, cut: Mutex::default(), dice: Dice::new(seed), clock: VirtualClock::new(), flaw })
    }

    pub(super) fn count(&self) -> usize {
        self.machines.len()
    }

    pub(super) fn instances(self: &Arc<Self>, client: u64) -> Vec<SimInstance> {
        (0..self.count()).map(|number| SimInstance { world: Arc::clone(self), client, number }).collect()
    }

    /// Whether all have the same.
    pub(super) fn agrees(&self) -> bool {
        let mut stamps = self.machines.iter().map(|machine| machine.lock().unwrap().record.stamp);
        let first = stamps.next();
        stamps.all(|stamp| Some(stamp) == first)
    }

    /// The power of one fails: what is staged and what is under way is gone.
    pub(super) fn crash(&self, number: usize) {
        let mut machine = self.machines[number].lock().unwrap();
        machine.life += 1;
        machine.slot = Slot::Empty;
    }

    /// The disk of one is lost: it comes back as another.
    pub(super) fn wipe(&self, number: usize) {
        self.crash(number);
        let mut machine = self.machines[number].lock().unwrap();
        machine.id = InstanceId(u128::from(self.dice.next_u64()) << 64);
        machine.record = Record::default();
    }

    /// Cuts `client` off from an instance for so long.
    pub(super) fn cut(&self, client: u64, number: usize, length: Duration) {
        self.cut.lock().unwrap().push((client, number, self.clock.monotonic() + length));
    }

    fn is_cut(&self, client: u64, number: usize) -> bool {
        let now = self.clock.monotonic();
        let mut all = self.cut.lock().unwrap();
        all.retain(|(_, _, until)| *until > now);
        all.iter().any(|(who, which, _)| (*who, *which) == (client, number))
    }

    async fn travel(&self, client: u64, number: usize) {
        let wait = match self.dice.below(40) {
            0 => self.dice.below(15_000),
            1..4 => self.dice.below(500),
            _ => self.dice.below(20),
        };
        SystemClock.sleep(Duration::from_millis(wait)).await;
        if self.is_cut(client, number) || self.dice.below(30) == 0 {
            // Lost: nobody ever hears of it.
            std::future::pending::<()>().await;
        }
    }
}

/// One instance, as one client sees it.
#[derive(Debug, Clone)]
pub(super) struct SimInstance {
    world: Arc<World>,
    client: u64,
    number: usize,
}

impl SimInstance {
    /// A request, its effect, its answer. The request goes on when the client gives up: it is on its way.
    fn call<F>(&self, act: F) -> BoxFuture<'static, Result<View, InstanceError>>
    where
        F: FnOnce(&mut Machine, Flaw, Duration) -> Result<Option<Record>, Refusal> + Send + 'static,
    {
        let Self { world, client, number } = self.clone();
        let task = tokio::spawn(async move {
            world.travel(client, number).await;
            let result = {
                let mut machine = world.machines[number].lock().unwrap();
                match act(&mut machine, world.flaw, world.clock.monotonic()) {
                    Ok(changed) => {
                        if let Some(record) = changed {
                            machine.record = record;
                        }
                        Ok((View::of(machine.id, &machine.record), machine.life))
                    }
                    Err(refusal) => Err(InstanceError::Refused {
                        reason: refusal.reason(),
                        promised: machine.record.promised,
                        message: refusal.message().to_owned(),
                    }),
                }
            };
            world.travel(client, number).await;
            let (view, life) = result?;
            if world.machines[number].lock().unwrap().life != life {
                return Err(InstanceError::Unavailable("its power failed".to_owned()));
            }
            Ok(view)
        });
        Box::pin(async move { task.await.unwrap_or_else(|error| Err(InstanceError::Unavailable(error.to_string()))) })
    }
}

impl Instance for SimInstance {
    fn name(&self) -> String {
        format!("sim{}", self.number)
    }

    fn look(&self, fence: Option<Epoch>) -> BoxFuture<'static, Result<View, InstanceError>> {
        self.call(move |machine, flaw, _| {
            let Machine { record, slot, .. } = machine;
            match (flaw, fence) {
                (Flaw::PlainGet, Some(_)) => look(record, slot, None, false),
                (Flaw::EpochInValueOnly, Some(_)) => look(record, slot, None, true),
                _ => look(record, slot, fence, fence.is_none()),
            }
        })
    }

    fn stage(&self, path: Bytes, write: Write) -> BoxFuture<'static, Result<View, InstanceError>> {
        self.call(move |machine, flaw, now| {
            let staged = Staged { path, write, at: now };
            if flaw == Flaw::Unguarded {
                machine.slot = Slot::Live(staged);
                return Ok(None);
            }
            stage(&machine.record, &mut machine.slot, staged).map(|()| None)
        })
    }

    fn commit(&self, path: Bytes) -> BoxFuture<'static, Result<View, InstanceError>> {
        self.call(move |machine, flaw, now| {
            let Machine { record, slot, .. } = machine;
            if flaw == Flaw::Unguarded {
                // As if nothing were there.
                let blank = Record { last: record.last.clone(), ..Record::default() };
                let changed = commit(&blank, slot, &path, now, TRANSACTION_TIMEOUT)?;
                return Ok(changed.map(|new| Record { promised: record.promised, ..new }));
            }
            commit(record, slot, &path, now, TRANSACTION_TIMEOUT)
        })
    }
}
