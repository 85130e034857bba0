//! Waiting on a plain thread for work that the runtime does.
//!
//! The work runs as a task on the runtime, never on the waiting thread, so that timers and connections are driven whoever waits; and
//! a runtime that has ended answers with an error instead of silence. Waiting is refused where it could never end.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::{Fault, Result};

/// Runs `work` on `runtime` and waits for its result. `operation` and `name` are for the error.
///
/// # Errors
/// * [`Fault::WouldDeadlock`] if `runtime` has a single thread, which nobody may be driving; or if this thread is that of a
///   single-threaded runtime (or of a `LocalSet`), which would stand still. On a worker of a multi-threaded runtime the wait
///   is announced to the runtime ([`tokio::task::block_in_place`]), which lets another thread do this one's work meanwhile.
/// * [`Fault::RuntimeEnded`] if `runtime` has been shut down.
pub(crate) fn wait<T: Send + 'static>(
    runtime: &Handle,
    operation: &'static str,
    name: &str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    let would_deadlock = |place, instead| Fault::WouldDeadlock { operation, name: name.to_owned(), place, instead };
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        let instead = "open it on a multi-threaded runtime, or use plastron::blocking, which brings its own";
        return Err(would_deadlock("the file system was opened on a single-threaded runtime", instead).into());
    }
    let here = Handle::try_current().ok().map(|current| current.runtime_flavor());
    let refused =
        || would_deadlock("this is the thread of a single-threaded runtime", "use the asynchronous call here");
    if here == Some(RuntimeFlavor::CurrentThread) {
        return Err(refused().into());
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // Nobody receives if the waiting thread has gone; then nobody wants the result.
        let _ = sender.send(work.await);
    });
    let received = match here {
        None => receiver.recv(),
        // Only a LocalSet on this thread makes it panic, and no call can tell that beforehand.
        Some(_) => {
            catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(|| receiver.recv()))).map_err(|_| refused())?
        }
    };
    received.map_err(|_| Fault::RuntimeEnded { operation, name: name.to_owned() }.into())
}

#[cfg(test)]
mod tests {
    use plastron_config::ErrorKind;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn threads(count: usize) -> Runtime {
        Builder::new_multi_thread().worker_threads(count).enable_all().build().unwrap()
    }

    /// Work that needs the runtime to make progress on other tasks before it ends.
    async fn work() -> u32 {
        tokio::spawn(async {
            tokio::task::yield_now().await;
            42
        })
        .await
        .unwrap()
    }

    #[test]
    fn plain_threads_wait() {
        let runtime = threads(1);
        assert_eq!(wait(runtime.handle(), "read", "x", work()).unwrap(), 42);
    }

    #[test]
    fn workers_and_blocking_threads_wait_even_if_there_is_only_one() {
        let runtime = threads(1);
        let handle = runtime.handle().clone();
        let on_worker = runtime.spawn({
            let handle = handle.clone();
            async move { wait(&handle, "read", "x", work()).unwrap() }
        });
        assert_eq!(runtime.block_on(on_worker).unwrap(), 42);
        let on_blocking = runtime.spawn_blocking({
            let handle = handle.clone();
            move || wait(&handle, "read", "x", work()).unwrap()
        });
        assert_eq!(runtime.block_on(on_blocking).unwrap(), 42);
        assert_eq!(runtime.block_on(async { wait(&handle, "read", "x", work()).unwrap() }), 42);
    }

    #[test]
    fn where_it_could_never_end_it_is_refused() {
        let single = Builder::new_current_thread().enable_all().build().unwrap();
        let runtime = threads(1);
        let error = wait(single.handle(), "read", "x", work()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("plastron::blocking"), "{error}");
        let error = single.block_on(async { wait(runtime.handle(), "read", "x", work()) }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("asynchronous call"), "{error}");
    }

    #[test]
    fn a_local_set_is_refused_too() {
        let runtime = threads(2);
        let local = tokio::task::LocalSet::new();
        let handle = runtime.handle().clone();
        let result = local.block_on(&runtime, async move {
            tokio::task::spawn_local(async move { wait(&handle, "read", "x", work()) }).await.unwrap()
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_runtime_that_ended_is_an_error() {
        let runtime = threads(1);
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let error = wait(&handle, "read", "x", work()).unwrap_err();
        assert!(matches!(error.fault(), Fault::RuntimeEnded { .. }), "{error}");
        assert!(!error.is_retryable());
    }
}
