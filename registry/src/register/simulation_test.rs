//! Several leaders on one register, in virtual time: requests that stall, fail, whose answers are lost, and swaps that are done late; leaders that are
//! dropped at any moment.
//!
//! `PLASTRON_SEEDS=10000 cargo test -p plastron-registry register_simulation` runs so many seeds, from `PLASTRON_SEED` on; a failure names its seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_sources::clock::{Clock, Entropy, SystemClock};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::envelope::Envelope;
use super::register_registry::RegisterRegistry;
use super::swap_register::{RegisterFault, SwapRegister, Swapped};
use crate::error::Fault;
use crate::{CheckpointRegistry, ErrorKind, Leadership, Version};

const SEEDS: u64 = 300;
const LEADERS: u64 = 4;

/// SplitMix64, shared.
#[derive(Debug)]
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    async fn stall(&self) {
        let most = if self.below(10) == 0 { 60_000 } else { 100 };
        SystemClock.sleep(Duration::from_millis(self.below(most))).await;
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

/// A register that keeps what it promises, on a bad network.
#[derive(Debug, Clone)]
struct SimRegister {
    /// All values that ever were, the newest last.
    history: Arc<Mutex<Vec<Bytes>>>,
    dice: Arc<Dice>,
}

fn busy() -> plastron_sources::Error {
    let fault =
        plastron_sources::Fault::Busy { status: 503, code: "SlowDown".to_owned(), message: "slow down".to_owned() };
    plastron_sources::Error::new("request", "sim://volume", fault)
}

impl SimRegister {
    fn apply(&self, expected: Option<&Bytes>, new: &Bytes) -> Swapped {
        let mut history = self.history.lock().unwrap();
        if history.last() == Some(new) {
            return Swapped::Done;
        }
        if history.last() != expected {
            let current = history.last().cloned();
            // One that was overwritten is said to be so, or not to be known.
            return if history.contains(new) { Swapped::Overwritten(current) } else { Swapped::Differs(current) };
        }
        history.push(new.clone());
        Swapped::Done
    }
}

#[async_trait]
impl SwapRegister for SimRegister {
    fn address(&self) -> String {
        "sim://volume".to_owned()
    }

    fn max_value_bytes(&self) -> usize {
        64 << 10
    }

    async fn read(&self) -> Result<Option<Bytes>, Fault> {
        self.dice.stall().await;
        if self.dice.below(12) == 0 {
            return Err(Fault::Bucket(busy()));
        }
        let found = self.history.lock().unwrap().last().cloned();
        self.dice.stall().await;
        Ok(found)
    }

    async fn swap(&self, expected: Option<&Bytes>, new: Bytes) -> Result<Swapped, RegisterFault> {
        self.dice.stall().await;
        match self.dice.below(12) {
            0 => return Err(RegisterFault::Failed(Fault::Bucket(busy()))),
            1 => {
                drop(self.apply(expected, &new));
                return Err(RegisterFault::Unknown(busy()));
            }
            2 => {
                let (this, expected) = (self.clone(), expected.cloned());
                tokio::spawn(async move {
                    this.dice.stall().await;
                    this.dice.stall().await;
                    drop(this.apply(expected.as_ref(), &new));
                });
                return Err(RegisterFault::Unknown(busy()));
            }
            _ => {}
        }
        let swapped = self.apply(expected, &new);
        self.dice.stall().await;
        Ok(match swapped {
            Swapped::Differs(current) if self.dice.below(2) == 0 => Swapped::Overwritten(current),
            swapped => swapped,
        })
    }

    async fn clear(&self, _: &Bytes) -> Result<Swapped, RegisterFault> {
        Err(RegisterFault::Failed(Fault::Invalid("nothing is cleared here".to_owned())))
    }
}

fn ids(content: &[u8]) -> Vec<u64> {
    content.as_chunks().0.iter().map(|id| u64::from_le_bytes(*id)).collect()
}

#[derive(Debug, Default)]
struct Book {
    acknowledged: Mutex<Vec<(Version, u64)>>,
    epochs: Mutex<Vec<u64>>,
    next_id: AtomicU64,
}

/// One term of a leader: takes over, publishes, until it is fenced or has enough.
async fn term(registry: Arc<dyn CheckpointRegistry>, dice: Arc<Dice>, book: Arc<Book>, owner: String) {
    let mut leader = match Leadership::open(Arc::clone(&registry), &owner).await {
        Ok(leader) => leader,
        Err(error) => return assert!(error.is_retryable(), "{error}"),
    };
    book.epochs.lock().unwrap().push(leader.epoch());
    let mut mine = ids(leader.content().map(Bytes::as_ref).unwrap_or_default());
    for _ in 0..dice.below(8) {
        dice.stall().await;
        let id = book.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let next = [mine.as_slice(), &[id]].concat();
        let content: Bytes = next.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<_>>().into();
        match leader.publish(content).await {
            Ok(version) => {
                book.acknowledged.lock().unwrap().push((version, id));
                mine = next;
            }
            Err(error) if error.kind() == ErrorKind::Fenced => return,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

async fn run(seed: u64) -> usize {
    let dice = Arc::new(Dice(AtomicU64::new(seed)));
    let register = SimRegister { history: Arc::default(), dice: Arc::clone(&dice) };
    let book = Arc::new(Book::default());
    let mut tasks = JoinSet::new();
    for number in 0..LEADERS {
        let registry =
            RegisterRegistry::new(register.clone()).with_time(Arc::new(SystemClock), Arc::clone(&dice) as Arc<_>);
        let (registry, dice, book) =
            (Arc::new(registry) as Arc<dyn CheckpointRegistry>, Arc::clone(&dice), Arc::clone(&book));
        tasks.spawn(async move {
            for round in 0..3 {
                dice.stall().await;
                let life = Duration::from_millis(dice.below(400_000));
                let term =
                    term(Arc::clone(&registry), Arc::clone(&dice), Arc::clone(&book), format!("{number}.{round}"));
                // Some are dropped at any moment.
                let _ = timeout(life, term).await.is_ok();
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let history: Vec<_> =
        register.history.lock().unwrap().iter().map(|value| Envelope::decode(value).unwrap()).collect();
    for (at, found) in history.iter().enumerate() {
        assert_eq!(found.turtle.sequence, at as u64 + 1, "seed {seed}");
        let before = at.checked_sub(1).map(|before| &history[before]);
        assert_eq!(found.turtle.previous, before.map_or(0, |before| before.version.checksum), "seed {seed}");
    }
    let last = history.last().map(|found| ids(found.turtle.content.as_deref().unwrap_or_default())).unwrap_or_default();
    let acknowledged = book.acknowledged.lock().unwrap().clone();
    for (version, id) in &acknowledged {
        assert!(
            history.iter().any(|found| found.version == *version),
            "seed {seed}: {version:?} is not in the history"
        );
        assert!(last.contains(id), "seed {seed}: {id} was acknowledged, and is lost: {last:?}");
    }
    let mut epochs = book.epochs.lock().unwrap().clone();
    let count = epochs.len();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), count, "seed {seed}: two leaders had one epoch");
    acknowledged.len()
}

#[test]
fn register_simulation() {
    let variable =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let first = variable("PLASTRON_SEED", 0);
    let mut acknowledged = 0;
    let seeds = first..first + variable("PLASTRON_SEEDS", SEEDS);
    for seed in seeds.clone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        acknowledged += runtime.block_on(run(seed));
    }
    println!("{acknowledged} acknowledgements");
    assert!(acknowledged as u64 > 5 * (seeds.end - seeds.start), "{acknowledged}");
}
