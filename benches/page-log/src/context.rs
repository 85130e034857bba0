//! Measures how long something takes.

use std::time::Duration;

use plastron::clock::{Clock, SystemClock};

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Duration);

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Self {
        Self(SystemClock.monotonic())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        SystemClock.monotonic().saturating_sub(self.0)
    }
}
