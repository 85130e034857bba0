//! A clock for tests: tokio's, which `start_paused` stops and winds forward.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::{Clock, Entropy, Sleep};

/// Tokio's clock; its calendar begins on 2026-01-01.
#[derive(Debug)]
pub(crate) struct TestClock {
    start: Instant,
}

impl TestClock {
    /// A clock at zero.
    #[allow(clippy::disallowed_methods, reason = "this is the test's clock itself")]
    pub(crate) fn shared() -> Arc<Self> {
        Arc::new(Self { start: Instant::now() })
    }
}

impl Clock for TestClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.start.elapsed()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the test's clock itself")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Always the same number: `u64::MAX` makes every pause as long as it may be.
#[derive(Debug)]
pub(crate) struct Constant(pub(crate) u64);

impl Entropy for Constant {
    fn next_u64(&self) -> u64 {
        self.0
    }
}
