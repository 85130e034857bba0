//! The shared connections to one other side: opened when several calls are made at a time, if the other side speaks HTTP/2.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plastron_sources::clock::Clock;
use tokio::sync::Semaphore;

use super::answer::WireError;
use super::shared::{Place, SharedConnection};

/// Calls at a time on one connection. (If the other side takes fewer, the others wait.)
const MAX_CALLS: usize = 32;
/// How long it is believed that the other side does not speak HTTP/2. It may be replaced by one that does.
const NO_HTTP_2_FOR: Duration = Duration::from_secs(300);

/// What is known of one other side.
#[derive(Debug)]
pub(super) struct Sharing {
    calls: AtomicUsize,
    /// One at a time opens a connection; others wait for it, for they will use it.
    turn: Semaphore,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    connections: Vec<Arc<SharedConnection>>,
    /// Until when HTTP/1.1 alone is spoken.
    first_until: Option<Duration>,
}

/// A call that runs.
#[derive(Debug)]
pub(super) struct Running(Arc<Sharing>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
    }
}

impl Sharing {
    pub(super) fn new() -> Self {
        Self { calls: AtomicUsize::new(0), turn: Semaphore::new(1), known: Mutex::default() }
    }

    /// Counts a call, and tells how many run now.
    pub(super) fn begin(self: &Arc<Self>) -> (Running, usize) {
        (Running(Arc::clone(self)), self.calls.fetch_add(1, Relaxed) + 1)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place that is free, or whether one can be had.
    fn look(&self, clock: &Arc<dyn Clock>, max_idle: Duration) -> Result<Place, bool> {
        let mut known = self.known();
        known.connections.retain(|connection| !connection.is_retired() && connection.idle(&**clock) < max_idle);
        let free = known.connections.iter().find(|connection| connection.calls() < MAX_CALLS);
        match free {
            Some(connection) => Ok(Place::take(connection, clock)),
            None => Err(known.first_until.is_none_or(|until| clock.monotonic() >= until)),
        }
    }

    /// A place for a call on a shared connection; none if the other side speaks HTTP/1.1 only. What nobody used for `max_idle` is not used again.
    pub(super) async fn place<F>(
        &self,
        clock: &Arc<dyn Clock>,
        max_idle: Duration,
        open: impl FnOnce() -> F,
    ) -> Result<Option<Place>, WireError>
    where
        F: Future<Output = Result<Option<SharedConnection>, WireError>>,
    {
        match self.look(clock, max_idle) {
            Ok(place) => return Ok(Some(place)),
            Err(false) => return Ok(None),
            Err(true) => {}
        }
        let turn = self.turn.acquire().await;
        let _turn = turn.map_err(|error| WireError::Unreachable(error.to_string()))?;
        match self.look(clock, max_idle) {
            Ok(place) => return Ok(Some(place)),
            Err(false) => return Ok(None),
            Err(true) => {}
        }
        let Some(connection) = open().await? else {
            self.known().first_until = Some(clock.monotonic().saturating_add(NO_HTTP_2_FOR));
            return Ok(None);
        };
        let connection = Arc::new(connection);
        let place = Place::take(&connection, clock);
        self.known().connections.push(connection);
        Ok(Some(place))
    }
}
