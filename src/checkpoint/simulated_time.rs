//! Chance and virtual time of the simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use plastron_sources::clock::{Clock, Entropy, Sleep};

/// The numbers of SplitMix64.
pub(super) fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Rolled by one process.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(mix(seed))))
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    pub(super) fn stall(&self) -> Duration {
        stall(self.next_u64())
    }
}

impl Entropy for Dice {
    fn next_u64(&self) -> u64 {
        mix(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }
}

/// Mostly some milliseconds; sometimes up to twenty minutes, now and then hours.
pub(super) fn stall(roll: u64) -> Duration {
    let (which, length) = (roll % 200, roll >> 8);
    Duration::from_millis(match which {
        0 => length % (4 * 3_600_000),
        1..5 => length % (20 * 60_000),
        5..25 => length % 30_000,
        _ => 1 + length % 100,
    })
}

/// Virtual time; `ahead` is how far the process's calendar is from the store's.
#[derive(Debug, Clone, Copy)]
pub(super) struct SimClock {
    began: tokio::time::Instant,
    ahead: Duration,
}

impl SimClock {
    #[allow(clippy::disallowed_methods, reason = "this is virtual time")]
    pub(super) fn new(ahead: Duration) -> Self {
        Self { began: tokio::time::Instant::now(), ahead }
    }

    pub(super) fn ahead(self, ahead: Duration) -> Self {
        Self { ahead, ..self }
    }
}

impl Clock for SimClock {
    #[allow(clippy::disallowed_methods, reason = "this is virtual time")]
    fn monotonic(&self) -> Duration {
        tokio::time::Instant::now() - self.began
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.monotonic() + self.ahead
    }

    #[allow(clippy::disallowed_methods, reason = "this is virtual time")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
