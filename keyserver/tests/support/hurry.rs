//! A clock in a hurry.

use std::time::Duration;

use plastron_sources::clock::{Clock, Sleep, SystemClock};

/// A clock whose sleeps are over at once: whatever has a deadline has missed it.
#[derive(Debug)]
pub struct Hurry;

impl Clock for Hurry {
    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn wall(&self) -> std::time::SystemTime {
        SystemClock.wall()
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::ready(()))
    }
}
