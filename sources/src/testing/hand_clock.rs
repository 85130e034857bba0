//! Clocks that are set by hand, and by those who sleep on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::clock::{Clock, Sleep};

/// A clock that stands still until it is moved; sleeping on it ends at once.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Moves the clock on.
    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.monotonic()
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::ready(()))
    }
}

/// A clock that stands still but for sleeping: who sleeps moves it on, and wakes at once.
#[derive(Debug, Default)]
pub(crate) struct SleepClock(Arc<AtomicU64>);

impl SleepClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }
}

impl Clock for SleepClock {
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600) + self.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let now = Arc::clone(&self.0);
        Box::pin(async move {
            tokio::task::yield_now().await;
            now.fetch_add(duration.as_micros() as u64, Ordering::Relaxed);
        })
    }
}
