//! A bound on bytes a second, up and down together.
//!
//! A token bucket that may go into debt: a request takes what it will move at once and waits until the debt is paid, so that
//! requests larger than the bucket get through, in the order they came. `governor` was considered and left out: it does not wait
//! on an injected clock without a second timer, and it refuses requests larger than its bucket.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

/// What may be moved at once after a pause: a quarter of a second's worth.
const BURST_SECONDS: f64 = 0.25;

/// A bound on bytes a second for all requests of one bucket.
#[derive(Debug)]
pub(super) struct Bandwidth {
    /// Bytes a second; 0 for no bound.
    rate: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bytes that may be moved now; negative while a debt is paid.
    tokens: f64,
    /// When `tokens` was right.
    at: Duration,
}

impl Bandwidth {
    /// A bound of `rate` bytes a second, or none for 0.
    pub(super) fn new(rate: u64, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State { tokens: rate as f64 * BURST_SECONDS, at: clock.monotonic() });
        Self { rate, clock, state }
    }

    /// Waits until `bytes` may be moved. Gives back how long it took. Dropped while it waits, it gives the bytes back.
    pub(super) async fn take(&self, bytes: u64) -> Duration {
        if self.rate == 0 || bytes == 0 {
            return Duration::ZERO;
        }
        let debt = -self.add(-(bytes as f64));
        if debt <= 0.0 {
            return Duration::ZERO;
        }
        let refund = Refund { bandwidth: self, bytes };
        let wait = Duration::from_secs_f64(debt / self.rate as f64);
        self.clock.sleep(wait).await;
        std::mem::forget(refund);
        wait
    }

    /// Corrects what was taken: `expected` bytes were, `actual` bytes have been moved.
    pub(super) fn settle(&self, expected: u64, actual: u64) {
        if self.rate > 0 && expected != actual {
            self.add(expected as f64 - actual as f64);
        }
    }

    /// Adds tokens, and those that time has brought; what is there then.
    fn add(&self, tokens: f64) -> f64 {
        let now = self.clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = now.saturating_sub(state.at).as_secs_f64() * self.rate as f64;
        let full = self.rate as f64 * BURST_SECONDS;
        // What is above the brim is lost, but a refund or a correction may not be taken for that.
        let filled = if state.tokens < full { (state.tokens + earned).min(full) } else { state.tokens };
        state.tokens = filled + tokens;
        state.at = now;
        state.tokens
    }
}

/// Gives bytes back when a wait is dropped.
struct Refund<'a> {
    bandwidth: &'a Bandwidth,
    bytes: u64,
}

impl Drop for Refund<'_> {
    fn drop(&mut self) {
        self.bandwidth.add(self.bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::test_clock::TestClock;
    use futures::future::join_all;

    #[tokio::test(start_paused = true)]
    async fn bytes_take_their_time() {
        let clock = TestClock::shared();
        let bandwidth = Bandwidth::new(1_000_000, Arc::clone(&clock) as Arc<dyn Clock>);
        join_all((0..100).map(|_| bandwidth.take(100_000))).await;
        // Ten million bytes, of which a quarter of a second's worth was there at once.
        let elapsed = clock.monotonic().as_secs_f64();
        assert!((9.74..9.76).contains(&elapsed), "{elapsed}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_gives_its_bytes_back() {
        let clock = TestClock::shared();
        let bandwidth = Bandwidth::new(1_000, Arc::clone(&clock) as Arc<dyn Clock>);
        bandwidth.take(250).await;
        {
            let mut waiting = Box::pin(bandwidth.take(1_000_000));
            assert!(futures::poll!(&mut waiting).is_pending());
        }
        assert_eq!(bandwidth.take(1_000).await, Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_moved_is_not_charged() {
        let clock = TestClock::shared();
        let bandwidth = Bandwidth::new(1_000, Arc::clone(&clock) as Arc<dyn Clock>);
        bandwidth.take(250).await;
        bandwidth.take(500).await;
        bandwidth.settle(500, 0);
        assert_eq!(bandwidth.take(500).await, Duration::ZERO);
        bandwidth.settle(0, 1_000);
        assert_eq!(bandwidth.take(1).await, Duration::from_millis(1_001));
    }

    #[tokio::test(start_paused = true)]
    async fn no_bound_no_wait() {
        let bandwidth = Bandwidth::new(0, TestClock::shared());
        assert_eq!(bandwidth.take(u64::MAX).await, Duration::ZERO);
    }
}
