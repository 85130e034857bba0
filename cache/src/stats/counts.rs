//! A counter that many threads add to without waiting for each other.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Stripes of one counter; a power of two.
const STRIPES: usize = 16;

/// How many additions of one stripe pass between two publications.
const PUBLISH_EVERY: u64 = 1 << 10;

/// One counter in stripes, each on cache lines of its own.
#[derive(Debug, Default)]
pub(crate) struct Striped {
    stripes: [Stripe; STRIPES],
}

/// Two cache lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

/// The stripe of the calling thread.
fn own_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    OWN.try_with(|own| *own).unwrap_or(0)
}

impl Striped {
    /// Adds `amount`; true when it is time to publish.
    pub(crate) fn add(&self, amount: u64) -> bool {
        let Some(Stripe(count)) = self.stripes.get(own_stripe()) else { return false };
        let before = count.fetch_add(amount, Ordering::Relaxed);
        (before ^ (before + amount)) >= PUBLISH_EVERY
    }

    /// The sum.
    pub(crate) fn get(&self) -> u64 {
        self.stripes.iter().map(|Stripe(count)| count.load(Ordering::Relaxed)).sum()
    }
}
