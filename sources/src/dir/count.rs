//! Counting requests as the clouds' transport does, so that a run on a directory says what it would have cost elsewhere.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::{Error, Result};

use crate::clock::Clock;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::stats::{Outcome, RequestKind, Stats};

/// Where requests are counted.
#[derive(Clone)]
pub(super) struct Count {
    stats: Arc<Stats>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Count")
    }
}

impl Count {
    pub(super) fn new(stats: Arc<Stats>, clock: Arc<dyn Clock>) -> Self {
        Self { stats, clock }
    }

    /// Counts one request of `kind` with a body of `up` bytes; `down` says how many bytes an answer has.
    ///
    /// # Errors
    /// Those of `request`.
    pub(super) async fn request<T>(
        &self,
        kind: RequestKind,
        up: u64,
        request: impl Future<Output = Result<T>>,
        down: impl FnOnce(&T) -> u64,
    ) -> Result<T> {
        let mut running = Running { count: self, kind, up, began: self.clock.monotonic(), ended: None };
        let result = request.await;
        running.ended = Some((outcome_of(&result), result.as_ref().map_or(0, down)));
        result
    }
}

/// A request under way; counted when it is dropped, which without an end means that its caller went away.
struct Running<'a> {
    count: &'a Count,
    kind: RequestKind,
    up: u64,
    began: Duration,
    ended: Option<(Outcome, u64)>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let (outcome, down) = self.ended.unwrap_or((Outcome::Cancelled, 0));
        let latency = self.count.clock.monotonic().saturating_sub(self.began);
        self.count.stats.record(self.kind, outcome, self.up, down, latency);
    }
}

fn outcome_of<T>(result: &Result<T>) -> Outcome {
    match result {
        Ok(_) => Outcome::Ok,
        Err(Error::NotFound { .. }) => Outcome::NotFound,
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }) => Outcome::Conflict,
        Err(Error::PermissionDenied { .. }) => Outcome::Denied,
        Err(error) => match fault_of(error) {
            Fault::Io { .. } | Fault::Corrupt { .. } => Outcome::Failed,
            _ => Outcome::Refused,
        },
    }
}
