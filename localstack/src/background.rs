//! A runtime that lives as long as the process, for servers that outlive the test that asked for them first.
//!
//! Each `#[tokio::test]` has a runtime of its own that ends with the test, and tasks end with their runtime; servers shared by
//! all tests of a binary therefore live on this one.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::{Context as _, Error, Result};

/// Runs `work` on the background runtime and waits for what it gives.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    handle()?.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver.await.unwrap_or_else(|_| Err(Error::unavailable("the launcher's background task ended early")))
}

/// The same for a caller that is not async. Must not be called on an async thread.
pub(crate) fn run_blocking<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (sender, receiver) = std::sync::mpsc::channel();
    handle()?.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver.recv().unwrap_or_else(|_| Err(Error::unavailable("the launcher's background task ended early")))
}

/// A task on the background runtime that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct BackgroundTask(Option<JoinHandle<()>>);

impl BackgroundTask {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Result<Self> {
        Ok(Self(Some(handle()?.spawn(work))))
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for BackgroundTask {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

fn handle() -> Result<Handle> {
    static RUNTIME: OnceLock<Result<Handle>> = OnceLock::new();
    RUNTIME.get_or_init(start).clone()
}

fn start() -> Result<Handle> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("localstack")
        .enable_all()
        .build()
        .context(|| "start the launcher's runtime".into())?;
    let handle = runtime.handle().clone();
    // Its threads end with the process; the servers they hold see their pipes close then.
    std::mem::forget(runtime);
    Ok(handle)
}
