//! Bandwidth: when the next bytes may pass.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plastron_sources::clock::{Clock as _, SystemClock};

/// Lets bytes pass at a steady rate, whoever they belong to.
#[derive(Debug)]
pub(super) struct Pacer {
    bytes_per_second: u64,
    /// When all that has been let through so far will have passed.
    free_at: Mutex<Duration>,
}

impl Pacer {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: Mutex::new(Duration::ZERO) }
    }

    /// Takes the next free stretch for `bytes` and says how long it is until its end.
    pub(super) fn reserve(&self, bytes: usize) -> Duration {
        let nanos = (bytes as u128) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let now = SystemClock.monotonic();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(now) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        free_at.saturating_sub(now)
    }
}
