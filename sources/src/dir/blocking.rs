//! From async callers to blocking threads.

use object_store::Error;
use tokio::runtime::Handle;
use tokio::task::JoinError;

/// Runs `work` on a blocking thread; on this one if there is no runtime, as `object_store`'s own file store does. Once begun it is
/// carried to its end, whether or not the future is dropped.
///
/// # Errors
/// If the runtime shuts down.
pub(super) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await,
        Err(_) => Ok(work()),
    }
}

/// [`elsewhere`] for requests.
///
/// # Errors
/// Those of `work`; [`Error::JoinError`] if the runtime shuts down.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    elsewhere(work).await?
}

/// Drops `value`, whose end may take a while, on a blocking thread.
pub(super) fn drop_elsewhere<T: Send + 'static>(value: T) {
    if let Ok(runtime) = Handle::try_current() {
        drop(runtime.spawn_blocking(move || drop(value)));
    }
}
