//! Time and randomness, injected.
//!
//! Nothing in Plastron reads the machine's clock or its random source directly (`clippy.toml` forbids it): everything takes a
//! [`Clock`] and an [`Entropy`], so that tests and simulations own both.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

/// A future that ends when some time has passed.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Time since some fixed moment in the past; never goes back.
    fn monotonic(&self) -> Duration;

    /// The calendar's time.
    fn wall(&self) -> SystemTime;

    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// A source of random numbers; not for keys.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// A uniformly distributed number.
    fn next_u64(&self) -> u64;
}

/// The machine's own clock; `sleep` needs a tokio runtime with time enabled.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
        START.get_or_init(Instant::now).elapsed()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The standard library's per-process random hash keys, stirred with a counter: good enough for jitter and unique names.
#[derive(Debug, Default)]
pub struct SystemEntropy {
    state: std::hash::RandomState,
    counter: std::sync::atomic::AtomicU64,
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        use std::hash::BuildHasher;
        let count = self.counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.state.hash_one((count, SystemClock.monotonic()))
    }
}
