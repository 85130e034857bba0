//! Several files at once: a bounded number of tasks, whose results are handled one after another as they come.
//!
//! Tasks rather than futures in one task, so that requests in flight go on while a result waits to be printed. An interrupted
//! command aborts its tasks, and [`Jobs::ended`] waits until they are gone: only then is known which uploads they left behind.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::failure::{Failure, Result};

/// More tasks than any command runs at once.
const MOST: u32 = 1024;

/// The tasks of one run of the command.
#[derive(Debug)]
pub(crate) struct Jobs {
    /// Each task holds one until it is gone.
    places: Arc<Semaphore>,
}

impl Jobs {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST as usize)) }
    }

    /// Runs `start(item)` for every item as a task, `limit` at once, and hands each result to `done`. Ends at the first error of
    /// `done`; then, and when the future is dropped, the tasks still running are aborted.
    pub(crate) async fn each<I, F, T>(
        &self,
        items: impl IntoIterator<Item = I>,
        limit: usize,
        mut start: impl FnMut(I) -> F,
        mut done: impl AsyncFnMut(T) -> Result<()>,
    ) -> Result<()>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let mut running = JoinSet::new();
        for item in items {
            if running.len() >= limit.max(1)
                && let Some(result) = running.join_next().await
            {
                done(result?).await?;
            }
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.map_err(|_| Failure::other("the command is ending"))?;
            let job = start(item);
            running.spawn(async move {
                // Declared before the job is awaited, so dropped after it.
                let _place = place;
                job.await
            });
        }
        while let Some(result) = running.join_next().await {
            done(result?).await?;
        }
        Ok(())
    }

    /// Waits until no task is left.
    pub(crate) async fn ended(&self) {
        // It fails only if the semaphore is closed, which nobody does.
        let _ = self.places.acquire_many(MOST).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn all_run_and_never_too_many_at_once() {
        let now = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut seen = Vec::new();
        let start = |i: usize| {
            let (now, most) = (now.clone(), most.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                i
            }
        };
        Jobs::new()
            .each(0..50, 4, start, async |i| {
                seen.push(i);
                Ok(())
            })
            .await
            .unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let started = AtomicUsize::new(0);
        let start = |i: usize| {
            started.fetch_add(1, Ordering::SeqCst);
            async move { i }
        };
        let result = Jobs::new().each(0..50, 2, start, async |_| Err(Failure::other("enough"))).await;
        assert_eq!(result.unwrap_err().message(), "enough");
        assert!(started.load(Ordering::SeqCst) <= 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_run_that_is_dropped_takes_its_tasks_with_it() {
        let jobs = Jobs::new();
        let alive = Arc::new(());
        let start = |_| {
            let alive = Arc::clone(&alive);
            async move {
                std::future::pending::<()>().await;
                drop(alive);
            }
        };
        let run = jobs.each(0..8, 8, start, async |()| Ok(()));
        let some_time = tokio::time::timeout(std::time::Duration::from_millis(50), run).await;
        assert!(some_time.is_err(), "they never end by themselves");
        jobs.ended().await;
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
