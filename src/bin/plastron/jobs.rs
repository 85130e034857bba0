//! Several files at once: a bounded number of tasks, whose results are handled one after another as they come.

use std::future::Future;

use tokio::task::JoinSet;

use crate::failure::Result;

/// Runs `start(item)` for every item as a task, `limit` at once, and hands each result to `done`. Ends at the first error of
/// `done`; then, and when the future is dropped, the tasks still running are aborted.
pub(crate) async fn each<I, F, T>(
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
        running.spawn(start(item));
    }
    while let Some(result) = running.join_next().await {
        done(result?).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::failure::Failure;

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
        each(0..50, 4, start, async |i| {
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
        let result = each(0..50, 2, start, async |_| Err(Failure::other("enough"))).await;
        assert_eq!(result.unwrap_err().message(), "enough");
        assert!(started.load(Ordering::SeqCst) <= 2);
    }
}
