//! How long a connection may wait for the head of its next call.
//!
//! One timer for a connection, which goes on while calls come: to set one for each call would wake the thread's own event loop every time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use plastron_sources::clock::Clock;

/// No call is waited for.
const BUSY: u64 = u64::MAX;

pub(super) struct Patience {
    clock: Arc<dyn Clock>,
    longest: Duration,
    /// Milliseconds on the clock, since when a call is waited for.
    since: AtomicU64,
}

impl Patience {
    /// A call is waited for from now on.
    pub(super) fn new(clock: Arc<dyn Clock>, longest: Duration) -> Self {
        let this = Self { clock, longest, since: AtomicU64::new(BUSY) };
        this.answered();
        this
    }

    /// A call came.
    pub(super) fn called(&self) {
        self.since.store(BUSY, Relaxed);
    }

    /// It was answered: the next is waited for.
    pub(super) fn answered(&self) {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(BUSY - 1);
        self.since.store(now, Relaxed);
    }

    /// Ends when a call was waited for too long.
    pub(super) async fn lost(&self) {
        loop {
            let left = match self.since.load(Relaxed) {
                // Whatever comes next has all of its time before it.
                BUSY => self.longest,
                since => {
                    let end = Duration::from_millis(since).saturating_add(self.longest);
                    end.saturating_sub(self.clock.monotonic())
                }
            };
            if left.is_zero() {
                return;
            }
            self.clock.sleep(left).await;
        }
    }
}
