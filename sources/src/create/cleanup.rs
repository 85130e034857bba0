//! Work left over by futures that were dropped: aborting uploads, removing side objects.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::clock::Clock;

/// Most clean-ups under way at once. More than this many dropped uploads mean that the store does not answer; then what they
/// leave is left to the bucket's life-cycle rule, and the log says so.
const SLOTS: u32 = 256;

/// Runs clean-ups in the background, bounded in number and time.
pub(crate) struct Cleanup {
    runtime: Option<Handle>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    slots: Arc<Semaphore>,
}

impl Cleanup {
    /// On the current runtime; each clean-up may take `deadline`.
    pub(crate) fn new(clock: Arc<dyn Clock>, deadline: Duration) -> Self {
        let slots = Arc::new(Semaphore::new(usize::try_from(SLOTS).unwrap_or(usize::MAX)));
        Self { runtime: Handle::try_current().ok(), clock, deadline, slots }
    }

    /// Runs `task` in the background; `what` says in the log what is left if it can't. The future that is returned ends with the
    /// task, and may be dropped.
    pub(crate) fn spawn(&self, what: String, task: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
        let (ended, end) = oneshot::channel();
        let (Some(runtime), Ok(slot)) = (&self.runtime, Arc::clone(&self.slots).try_acquire_owned()) else {
            tracing::warn!(what, "left behind: too much to clean up, or no runtime to do it");
            return end;
        };
        let limit = self.clock.sleep(self.deadline);
        runtime.spawn(async move {
            if let futures::future::Either::Right(_) = futures::future::select(Box::pin(task), limit).await {
                tracing::warn!(what, "left behind: cleaning up took too long");
            }
            drop((slot, ended));
        });
        end
    }

    /// Ends when nothing is being cleaned up.
    pub(crate) async fn idle(&self) {
        // The semaphore is never closed, so all slots come free in the end.
        let _all = self.slots.acquire_many(SLOTS).await;
    }
}

impl fmt::Debug for Cleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleanup").field("free", &self.slots.available_permits()).finish_non_exhaustive()
    }
}
