//! Work that goes on when futures are dropped: completing and aborting uploads, removing side objects.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock::Clock;

/// Most clean-ups under way at once. More than this many dropped uploads mean that the store does not answer; then what they
/// leave is left to the bucket's life-cycle rule, and the log says so.
const SLOTS: usize = 256;

/// Runs work in the background, bounded in number and time.
pub(crate) struct Cleanup {
    runtime: Option<Handle>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    slots: Arc<Semaphore>,
    /// Notified when a slot has come free.
    ended: Arc<Notify>,
}

/// The place of one piece of work, however that ends.
struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    ended: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.ended.notify_waiters();
    }
}

impl Cleanup {
    /// On the current runtime; each clean-up may take `deadline`.
    pub(crate) fn new(clock: Arc<dyn Clock>, deadline: Duration) -> Self {
        let slots = Arc::new(Semaphore::new(SLOTS));
        Self { runtime: Handle::try_current().ok(), clock, deadline, slots, ended: Arc::default() }
    }

    /// Runs `task` in the background; `what` says in the log what is left if it can't. The future that is returned ends with the
    /// task, and may be dropped.
    pub(crate) fn spawn(&self, what: String, task: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
        let (ended, end) = oneshot::channel();
        let (Some(runtime), Some(slot)) = (&self.runtime, self.slot()) else {
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

    /// Runs `task` on when the future that is returned is dropped, for the deadline of a clean-up.
    ///
    /// # Errors
    /// If the runtime shuts down meanwhile.
    pub(crate) async fn carry<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, oneshot::error::RecvError> {
        let (Some(runtime), Some(slot)) = (&self.runtime, self.slot()) else {
            return Ok(task.await);
        };
        let (mut answer, answered) = oneshot::channel();
        let (clock, deadline) = (Arc::clone(&self.clock), self.deadline);
        runtime.spawn(async move {
            let abandoned = async {
                answer.closed().await;
                clock.sleep(deadline).await;
            };
            let value = match futures::future::select(Box::pin(task), Box::pin(abandoned)).await {
                futures::future::Either::Left((value, _)) => Some(value),
                futures::future::Either::Right(_) => None,
            };
            if let Some(value) = value {
                // Nobody may be waiting any more.
                let _ = answer.send(value);
            }
            drop(slot);
        });
        answered.await
    }

    fn slot(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot { permit: Some(permit), ended: Arc::clone(&self.ended) })
    }

    /// Ends when nothing is being cleaned up.
    pub(crate) async fn idle(&self) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            // Looking only: whoever queued for all slots would keep work from being followed by what cleans up after it.
            if self.slots.available_permits() >= SLOTS {
                return;
            }
            ended.await;
        }
    }
}

impl fmt::Debug for Cleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleanup").field("free", &self.slots.available_permits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::clock::SystemClock;
    use crate::testing::SleepClock;

    const DEADLINE: Duration = Duration::from_secs(60);

    /// Whether the value was dropped.
    struct Dropped(Arc<AtomicBool>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn what_is_carried_goes_on_when_its_future_is_dropped() {
        let cleanup = Cleanup::new(Arc::new(SystemClock), DEADLINE);
        assert_eq!(cleanup.carry(async { 5 }).await, Ok(5));
        let (go, gone) = oneshot::channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let task = {
            let done = Arc::clone(&done);
            async move {
                gone.await.unwrap();
                done.store(true, Ordering::SeqCst);
            }
        };
        let mut carried = Box::pin(cleanup.carry(task));
        assert!(futures::poll!(&mut carried).is_pending());
        drop(carried);
        go.send(()).unwrap();
        cleanup.idle().await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn what_is_carried_for_nobody_ends_at_the_deadline() {
        let cleanup = Cleanup::new(SleepClock::new(), DEADLINE);
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = Dropped(Arc::clone(&dropped));
        let mut carried = Box::pin(cleanup.carry(async move {
            std::future::pending::<()>().await;
            drop(guard);
        }));
        assert!(futures::poll!(&mut carried).is_pending());
        drop(carried);
        cleanup.idle().await;
        assert!(dropped.load(Ordering::SeqCst));
    }
}
