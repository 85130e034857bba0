//! The course of one request: its attempts, its pauses, and when to give up.

use std::time::Duration;

use super::backoff;
use super::failure::{Cause, Failure, Spent};
use crate::clock::{Clock, Entropy};
use crate::error::Fault;
use crate::options::{RetryOptions, TimeoutOptions};
use crate::stats::RequestKind;

/// Where one request stands.
#[derive(Debug)]
pub(super) struct Course<'a> {
    retry: RetryOptions,
    timeout: TimeoutOptions,
    clock: &'a dyn Clock,
    started: Duration,
    /// Time spent waiting for bandwidth, which the deadline doesn't count: it is our own doing.
    held_back: Duration,
    attempts: u32,
    failures: u32,
    last: Option<Failure>,
}

impl<'a> Course<'a> {
    /// A request begins.
    pub(super) fn new(retry: RetryOptions, timeout: TimeoutOptions, clock: &'a dyn Clock) -> Self {
        let started = clock.monotonic();
        Self { retry, timeout, clock, started, held_back: Duration::ZERO, attempts: 0, failures: 0, last: None }
    }

    /// Whether an attempt has failed in a way that leaves open whether it was carried out.
    pub(super) fn repeats(&self) -> bool {
        self.failures > 0
    }

    /// Time that bandwidth took.
    pub(super) fn hold_back(&mut self, waited: Duration) {
        self.held_back += waited;
    }

    /// Another attempt begins: how long it may take. `None` if no time is left.
    pub(super) fn attempt(&mut self) -> Option<Duration> {
        let left = self.left();
        if left.is_zero() {
            return None;
        }
        self.attempts += 1;
        Some(left.min(self.timeout.request))
    }

    /// Time that is left.
    pub(super) fn left(&self) -> Duration {
        self.retry.deadline.saturating_sub(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started).saturating_sub(self.held_back)
    }

    /// An attempt failed: the pause before the next one. `reached` says whether the endpoint has ever answered; as long as it has not,
    /// it is more likely to be wrong than to be down, and is given up after the time one connection may take.
    ///
    /// # Errors
    /// The fault to report, if there is to be no other attempt.
    pub(super) fn pause(
        &mut self,
        failure: Failure,
        kind: RequestKind,
        reached: bool,
        entropy: &dyn Entropy,
    ) -> Result<Duration, Fault> {
        self.failures += 1;
        let jittered = backoff::pause(&self.retry, self.failures, entropy);
        let pause = failure.retry_after.map_or(jittered, |asked| asked.max(jittered));
        let wrong_address = !reached
            && matches!(failure.cause, Cause::Connect { .. })
            && self.elapsed() + pause >= self.timeout.connect;
        let out_of_time = pause >= self.left();
        if wrong_address || out_of_time || self.attempts >= self.retry.attempts {
            return Err(self.give_up(failure, kind, out_of_time));
        }
        self.last = Some(failure);
        Ok(pause)
    }

    /// An upload was stored damaged and can't be replaced.
    pub(super) fn give_up_damaged(&self, failure: Failure, kind: RequestKind) -> Fault {
        self.give_up(failure, kind, false)
    }

    /// No time is left for another attempt.
    pub(super) fn out_of_time(&mut self, kind: RequestKind) -> Fault {
        let last = self.last.take().unwrap_or_else(|| Failure::timed_out(self.retry.deadline));
        self.give_up(last, kind, true)
    }

    fn give_up(&self, failure: Failure, kind: RequestKind, out_of_time: bool) -> Fault {
        let spent =
            Spent { attempts: self.attempts, elapsed: self.elapsed(), deadline: self.retry.deadline, out_of_time };
        failure.into_fault(kind, spent)
    }
}
