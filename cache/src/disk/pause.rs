//! Leaving a file system in peace after it failed.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plastron_sources::clock::Clock;

/// The first pause; each failure that follows a pause doubles it.
const FIRST: Duration = Duration::from_secs(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether writes are off, since when and why.
#[derive(Debug)]
pub(crate) struct Pause {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    until: Option<Duration>,
    next: Option<Duration>,
    begun: u64,
    reason: String,
}

impl Pause {
    /// Writes are on.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Turns writes off for a while because of `error`. Returns how long, or `None` if they were off already.
    pub(crate) fn begin(&self, error: &io::Error) -> Option<Duration> {
        let now = self.clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.until.is_some_and(|until| now < until) {
            return None;
        }
        let length = state.next.unwrap_or(FIRST);
        state.until = Some(now + length);
        state.next = Some((2 * length).min(LONGEST));
        state.begun += 1;
        state.reason = error.to_string();
        Some(length)
    }

    /// How many pauses have begun: what a write notes before it starts, for [`Self::end`].
    pub(crate) fn begun(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).begun
    }

    /// A write succeeded that started when `begun` pauses had begun: the next pause is a short one again. If another write has failed
    /// meanwhile, this one says nothing about the file system as it is now.
    pub(crate) fn end(&self, begun: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.begun == begun {
            *state = State { begun, ..State::default() };
        }
    }

    /// Why writes are off, if they are.
    pub(crate) fn reason(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let until = state.until?;
        (self.clock.monotonic() < until).then(|| state.reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::test_medium::ManualClock;

    #[test]
    fn pauses_double_until_a_write_succeeds() {
        let clock = ManualClock::new();
        let pause = Pause::new(clock.clone());
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let mut lengths = Vec::new();
        for _ in 0..7 {
            let length = pause.begin(&error).unwrap();
            assert_eq!(pause.begin(&error), None);
            assert!(pause.reason().is_some());
            clock.advance(length);
            assert_eq!(pause.reason(), None);
            lengths.push(length.as_secs());
        }
        assert_eq!(lengths, [10, 20, 40, 80, 160, 300, 300]);
        pause.end(pause.begun());
        assert_eq!(pause.begin(&error), Some(FIRST));
    }

    #[test]
    fn a_write_from_before_a_failure_does_not_end_the_pause() {
        let pause = Pause::new(ManualClock::new());
        let begun = pause.begun();
        pause.begin(&io::Error::from(io::ErrorKind::StorageFull)).unwrap();
        pause.end(begun);
        assert!(pause.reason().is_some());
        pause.end(pause.begun());
        assert_eq!(pause.reason(), None);
    }
}
